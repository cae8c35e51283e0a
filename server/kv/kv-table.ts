import type { StoreEntry } from '../../store/store.ts';
import type { ApplyContext, StateTable } from '../catalog/state-table.ts';
import { namespaceOfRest } from './kv-keys.ts';
import { decodeKv, type KvEntry } from './kv-record.ts';
import type { KvWatches } from './kv-watches.ts';
import { type Ordered, OrderedEntries } from './ordered-entries.ts';

export interface KvTableOptions {
  /** Most deleted keys whose indexes are remembered one by one. */
  readonly maxTombstones: number;
}

/** About 10 MB of deleted keys; Consul keeps those of 15 minutes, however many. */
export const KV_TABLE_DEFAULTS: KvTableOptions = { maxTombstones: 65_536 };

/**
 * All keys and values in order, who holds which, and the indexes of what was deleted: that of a prefix never falls when
 * a key below it goes.
 */
export class KvTable implements StateTable {
  readonly segment = 'kv';
  readonly #watches: KvWatches;
  readonly #options: KvTableOptions;
  readonly #entries = new OrderedEntries<KvEntry>();
  readonly #tombstones = new OrderedEntries<Ordered>();
  /** Deleted keys, the longest deleted first. */
  readonly #deleted = new Map<string, number>();
  readonly #bySession = new Map<string, Set<string>>();
  /** What was deleted up to here is not known by key: every index is at least this. */
  #floor = 0;

  constructor(deps: { watches: KvWatches }, options: KvTableOptions = KV_TABLE_DEFAULTS) {
    this.#watches = deps.watches;
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  put(rest: string, stored: StoreEntry, context: ApplyContext): void {
    const before = this.#entries.get(rest);
    const entry = decodeKv(rest, stored, context.base);
    if (before) this.#unhold(before);
    else if (this.#deleted.delete(rest)) this.#tombstones.delete(rest);
    this.#entries.set(entry);
    if (entry.session !== '') {
      const held = this.#bySession.get(entry.session);
      if (held) held.add(rest);
      else this.#bySession.set(entry.session, new Set([rest]));
    }
    if (!context.loading) this.#watches.changed(rest);
  }

  delete(rest: string, context: ApplyContext): void {
    const before = this.#entries.delete(rest);
    if (!before) return;
    this.#unhold(before);
    this.#deleted.set(rest, context.index);
    this.#tombstones.set({ rest, modifyIndex: context.index });
    if (this.#deleted.size > this.#options.maxTombstones) this.#forget();
    this.#watches.changed(rest);
  }

  clear(): void {
    this.#entries.clear();
    this.#tombstones.clear();
    this.#deleted.clear();
    this.#bySession.clear();
  }

  settle(context: ApplyContext): void {
    if (context.loading) {
      this.#floor = Math.max(this.#floor, context.index);
      this.#watches.allChanged();
    }
    this.#watches.settle();
  }

  get(rest: string): KvEntry | undefined {
    return this.#entries.get(rest);
  }

  withPrefix(prefix: string): Iterable<KvEntry> {
    return this.#entries.withPrefix(prefix);
  }

  /**
   * The keys with a prefix; with a separator those that have it after the prefix are shown once, up to it. Groups are
   * skipped, not walked.
   */
  keys(prefix: string, separator: string): string[] {
    const found: string[] = [];
    if (separator === '') {
      for (const { rest } of this.#entries.withPrefix(prefix)) found.push(rest);
      return found;
    }
    let [next] = this.#entries.withPrefix(prefix);
    while (next) {
      const at = next.rest.indexOf(separator, prefix.length);
      const shown = at < 0 ? next.rest : next.rest.slice(0, at + separator.length);
      found.push(shown);
      next = at < 0 ? this.#after(next.rest, prefix) : this.#entries.firstAfterGroup(shown, prefix);
    }
    return found;
  }

  check(rest: string, stored: StoreEntry): void {
    decodeKv(rest, stored, 0);
  }

  namespaces(): string[] {
    return this.keys('', '/').map(namespaceOfRest);
  }

  /** The keys that a session holds. */
  heldBy(session: string): Iterable<string> {
    return this.#bySession.get(session) ?? [];
  }

  /** The version of one key, also of an absent one. */
  keyVersion(rest: string): number {
    return Math.max(this.#entries.get(rest)?.modifyIndex ?? this.#deleted.get(rest) ?? 0, this.#floor);
  }

  /** The version of everything that begins with the prefix. */
  prefixVersion(prefix: string): number {
    const present = this.#entries.newestWithPrefix(prefix);
    return Math.max(present, this.#tombstones.newestWithPrefix(prefix), this.#floor);
  }

  #after(rest: string, prefix: string): KvEntry | undefined {
    for (const entry of this.#entries.from(rest, prefix)) if (entry.rest !== rest) return entry;
    return undefined;
  }

  #unhold({ session, rest }: KvEntry): void {
    const held = this.#bySession.get(session);
    if (!held) return;
    held.delete(rest);
    if (held.size === 0) this.#bySession.delete(session);
  }

  /** An eighth at a time: each time, every client that waits with an older index asks once more. */
  #forget(): void {
    let count = Math.max(1, this.#options.maxTombstones >>> 3);
    for (const [rest, index] of this.#deleted) {
      if (count-- === 0) break;
      this.#deleted.delete(rest);
      this.#tombstones.delete(rest);
      this.#floor = Math.max(this.#floor, index);
    }
  }
}
