/**
 * Names in presentation form (RFC 1035 section 5.1) without a final dot: labels joined by dots, where a byte that is
 * no printable ASCII character, a space, a dot inside a label or a backslash is written `\DDD` (its decimal value).
 * This form and the wire form map one to one.
 */

/** RFC 1035 section 2.3.4. */
export const MAX_LABEL_BYTES = 63;
export const MAX_NAME_BYTES = 255;

const PLAIN_TEXT = /^[!-[\]-~]*$/; // printable ASCII without space and backslash
const BACKSLASH = 0x5c;
const DOT = 0x2e;

/** One label's bytes in presentation form. */
export function labelText(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += escapedByte(byte);
  return text;
}

/**
 * Free text (a node name, an address that is a name) in presentation form: its dots separate labels, and one final dot
 * is dropped. The result may still be no valid name: see `nameLength`.
 */
export function nameFromText(text: string): string {
  const bare = text.endsWith('.') ? text.slice(0, -1) : text;
  if (PLAIN_TEXT.test(bare)) return bare;
  let name = '';
  for (const byte of new TextEncoder().encode(bare)) name += byte === DOT ? '.' : escapedByte(byte);
  return name;
}

function escapedByte(byte: number): string {
  if (byte > 0x20 && byte < 0x7f && byte !== DOT && byte !== BACKSLASH) return String.fromCharCode(byte);
  return `\\${String(byte).padStart(3, '0')}`;
}

/** The index of the dot that ends the label starting at `from`, or the length of the name. */
export function labelEnd(name: string, from: number): number {
  const dot = name.indexOf('.', from);
  return dot < 0 ? name.length : dot; // a dot inside a label is written \046, so every dot separates
}

/** How many bytes a label takes, without its length byte. */
function labelBytes(name: string, start: number, end: number, hasEscapes: boolean): number {
  if (!hasEscapes) return end - start;
  let bytes = 0;
  for (let i = start; i < end; i++) {
    if (name.charCodeAt(i) === BACKSLASH) i += 3;
    bytes++;
  }
  return bytes;
}

/**
 * The length of a name on the wire, uncompressed, or undefined when it is none: an empty label, a label past 63 bytes,
 * or past 255 in all. To be asked before a name from the catalog gets into a record.
 */
export function nameLength(name: string): number | undefined {
  if (name === '') return 1;
  const hasEscapes = name.includes('\\');
  let total = 1;
  for (let start = 0; start <= name.length; ) {
    const end = labelEnd(name, start);
    const bytes = labelBytes(name, start, end, hasEscapes);
    if (bytes === 0 || bytes > MAX_LABEL_BYTES) return undefined;
    total += bytes + 1;
    start = end + 1;
  }
  return total > MAX_NAME_BYTES ? undefined : total;
}

/** Writes one label (length byte and bytes) at `offset`; gives the offset behind it. */
export function writeLabel(name: string, start: number, end: number, out: Uint8Array, offset: number): number {
  let at = offset + 1;
  for (let i = start; i < end; i++) {
    let code = name.charCodeAt(i);
    if (code === BACKSLASH) {
      code = Number(name.slice(i + 1, i + 4));
      i += 3;
    }
    out[at++] = code;
  }
  out[offset] = at - offset - 1;
  return at;
}

/** Whether `name` is `zone` or below it; both in presentation form, compared without regard to case. */
export function isInZone(name: string, zone: string): boolean {
  const lower = name.toLowerCase();
  const apex = zone.toLowerCase();
  return lower === apex || lower.endsWith(`.${apex}`);
}
