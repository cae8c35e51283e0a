import { isIPv4, isIPv6 } from 'node:net';

/** The address record type of a text: A, AAAA, or undefined when it is no IP address (a name, or nothing). */
export function addressType(text: string): 'A' | 'AAAA' | undefined {
  if (isIPv4(text)) return 'A';
  // A zone index ("fe80::1%eth0") means something on one machine only and has no place in a record.
  return isIPv6(text) && !text.includes('%') ? 'AAAA' : undefined;
}

/** Writes an IPv4 address (dotted quad) as 4 bytes. */
export function writeIpv4(text: string, out: Uint8Array, offset: number): number {
  let value = 0;
  let at = offset;
  for (let i = 0; i <= text.length; i++) {
    const code = i === text.length ? 0x2e : text.charCodeAt(i);
    if (code === 0x2e) {
      out[at++] = value;
      value = 0;
    } else {
      value = value * 10 + code - 0x30;
    }
  }
  return at;
}

/** Writes an IPv6 address (RFC 4291 section 2.2, all three forms) as 16 bytes. */
export function writeIpv6(text: string, out: Uint8Array, offset: number): number {
  const [head = '', tail] = text.split('::');
  const front = ipv6Bytes(head);
  const back = tail === undefined ? [] : ipv6Bytes(tail);
  out.fill(0, offset, offset + 16);
  out.set(front, offset);
  out.set(back, offset + 16 - back.length);
  return offset + 16;
}

function ipv6Bytes(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/** An address as the hexadecimal label of Consul's `.addr` names: 8 digits for IPv4, 32 for IPv6. */
export function addressToHex(address: string, type: 'A' | 'AAAA'): string {
  const bytes = Buffer.alloc(type === 'A' ? 4 : 16);
  if (type === 'A') writeIpv4(address, bytes, 0);
  else writeIpv6(address, bytes, 0);
  return bytes.toString('hex');
}

/** The inverse of `addressToHex`; undefined when the label is none. */
export function addressFromHex(label: string): { type: 'A' | 'AAAA'; address: string } | undefined {
  if (!/^(?:[0-9a-f]{8}|[0-9a-f]{32})$/i.test(label)) return undefined;
  const bytes = Buffer.from(label, 'hex');
  if (bytes.length === 4) return { type: 'A', address: [...bytes].join('.') };
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  return { type: 'AAAA', address: groups.join(':') };
}
