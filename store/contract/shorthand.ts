import type {
  Compare,
  KeyRange,
  Op,
  ReadResult,
  Revision,
  Store,
  StoreChange,
  StoreEntry,
  StoreEvents,
} from '../store.ts';

/** Short forms, so that the suite's cases read as what they are about. */

export function put(key: string, value: string | Uint8Array): Op {
  return { kind: 'put', key, value: typeof value === 'string' ? Buffer.from(value) : value };
}

export function del(key: string): Op {
  return { kind: 'delete', key };
}

export function delRange(start: string, end: string): Op {
  return { kind: 'deleteRange', range: { start, end } };
}

export function at(key: string, modRevision: Revision): Compare {
  return { kind: 'key', key, modRevision };
}

export function untouched(start: string, end: string, maxModRevision: Revision): Compare {
  return { kind: 'range', range: { start, end }, maxModRevision };
}

/** Commits without compares; the revision. */
export async function write(store: Store, ...ops: Op[]): Promise<Revision> {
  return (await store.commit({ compares: [], ops })).revision;
}

export const EVERYTHING: KeyRange = { start: '', end: '\u{10FFFF}' };

/** The whole content as `key=value` texts. */
export async function content(store: Store, atRevision?: Revision): Promise<string[]> {
  return texts(await store.read(EVERYTHING, atRevision));
}

export function texts(result: ReadResult): string[] {
  return result.entries.map((entry) => `${entry.key}=${text(entry.value)}`);
}

export function text(value: Uint8Array): string {
  return Buffer.from(value).toString();
}

/** `rev: +key=value -key` */
export function eventText(events: StoreEvents): string {
  return `${events.revision}: ${events.changes.map(changeText).join(' ')}`;
}

function changeText(change: StoreChange): string {
  return change.kind === 'put' ? `+${change.entry.key}=${text(change.entry.value)}` : `-${change.key}`;
}

/** The next `count` items of an iteration, which is then left. */
export async function take<T>(items: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  if (count === 0) return taken;
  for await (const item of items) {
    taken.push(item);
    if (taken.length === count) break;
  }
  return taken;
}

/** Everything of a byte stream. */
export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

/** The bytes as a stream of chunks of `size`. */
export async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, void> {
  for (let i = 0; i < bytes.byteLength; i += size) yield bytes.subarray(i, i + size);
}

/** An entry in plain values, whatever the engine makes it of. */
export function plainEntry({ key, value, createRevision, modRevision }: StoreEntry): object {
  return { key, value: Buffer.from(value).toString(), createRevision, modRevision };
}
