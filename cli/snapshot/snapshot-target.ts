/** A place where snapshots are kept. Each has an id: the nanoseconds of its time, so that the newest is the largest. */
export interface SnapshotTarget {
  /** For messages, e.g. `s3://backups/consul-snapshot`. */
  readonly name: string;
  /** Whether older ones stay beside a new one; false where each takes the place of the one before. */
  readonly keepsSeveral: boolean;
  /** Stores the file whole, and confirms that it is there with all its bytes; nothing is left under its name otherwise. */
  put(id: string, file: string, signal: AbortSignal): Promise<void>;
  /** Ids of the snapshots that are there, of this place's prefix, in any order. */
  list(signal: AbortSignal): Promise<string[]>;
  remove(id: string, signal: AbortSignal): Promise<void>;
}

/** Ids as in `consul-1479360073448728784.snap`. */
const ID = /^\d{16,20}$/;

/** The id within `<before><id>.snap`; undefined for any other name. */
export function idOf(name: string, before: string): string | undefined {
  if (!name.startsWith(before) || !name.endsWith('.snap')) return undefined;
  const id = name.slice(before.length, -'.snap'.length);
  return ID.test(id) ? id : undefined;
}

/** Those that are too many when the newest `retain` stay; 0 keeps all. Never `newest` itself. */
export function surplus(ids: readonly string[], retain: number, newest: string): string[] {
  if (retain === 0) return [];
  const others = ids.filter((id) => id !== newest).sort((a, b) => (BigInt(a) < BigInt(b) ? 1 : -1));
  return others.slice(retain - 1).reverse();
}
