import { SetMap } from '../../core/set-map.ts';
import type { StoreEntry } from '../../store/store.ts';
import { NamespaceCounts } from '../catalog/namespace-counts.ts';
import type { ApplyContext, StateTable } from '../catalog/state-table.ts';
import { topicOf } from '../catalog/topics.ts';
import { namespaceOfRest } from './kv-keys.ts';
import { decodeKv, type KvEntry, kvInPlaceOf } from './kv-record.ts';
import type { KvWatches } from './kv-watches.ts';
import { type Ordered, OrderedEntries } from './ordered-entries.ts';

export interface KvTableOptions {
  /** Most deleted keys whose indexes are remembered one by one. */
  readonly maxTombstones: number;
}

/** What becomes of the keys of a session that has ended. */
export interface LettingGo {
  /** They are deleted, not released. */
  readonly deletes: boolean;
  /** When it ended. */
  readonly index: number;
}

/** About 10 MB of deleted keys; Consul keeps those of 15 minutes, however many. */
export const KV_TABLE_DEFAULTS: KvTableOptions = { maxTombstones: 65_536 };

/**
 * All keys and values in order, who holds which, and the indexes of what was deleted: that of a prefix never falls when
 * a key below it goes. What an ended session held is shown as let go of since its end, though the store may follow later.
 */
export class KvTable implements StateTable {
  readonly segment = 'kv';
  readonly #watches: KvWatches;
  readonly #options: KvTableOptions;
  readonly #entries = new OrderedEntries<KvEntry>();
  readonly #namespaces = new NamespaceCounts();
  readonly #tombstones = new OrderedEntries<Ordered>();
  /** Deleted keys, the longest deleted first. */
  readonly #deleted = new Map<string, number>();
  /** As the store has it. */
  readonly #bySession = new SetMap<string, string>();
  /** Sessions that have ended, while the store may have keys as held by them. */
  readonly #ended = new Map<string, LettingGo>();
  /** Keys that the store has as held by those, as it has them. */
  readonly #owed = new Map<string, KvEntry>();
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
    this.#put(rest, decodeKv(rest, stored, context.base), context);
  }

  check(rest: string, stored: StoreEntry): void {
    decodeKv(rest, stored, 0);
  }

  /** The key is there; its value is refused to those who read it, and its lock to those who want it. */
  refuse(rest: string, stored: StoreEntry, why: string, context: ApplyContext): void {
    this.#put(rest, kvInPlaceOf(rest, stored, context.base, why), context);
  }

  #put(rest: string, entry: KvEntry, context: ApplyContext): void {
    const before = this.#entries.get(rest);
    const owed = this.#takeBack(rest);
    if (entry.session !== '') {
      this.#bySession.add(entry.session, rest);
    }
    const how = this.#ended.get(entry.session);
    if (how) {
      // It was on its way when the session ended.
      this.#owe(entry, how, context);
      return;
    }
    this.#show(entry, context);
    // The store follows what is shown already.
    if (owed && before?.modifyIndex === entry.modifyIndex) return;
    if (!context.loading) this.#watches.changed(rest);
  }

  delete(rest: string, context: ApplyContext): void {
    this.#takeBack(rest);
    this.#remove(rest, context.index, context);
  }

  /** A session has ended, though the store still has keys as held by it: they are let go of now. Gives which. */
  letGo(session: string, how: LettingGo, context: Pick<ApplyContext, 'loading' | 'bump'>): string[] {
    this.#ended.set(session, how);
    const held = [...this.heldBy(session)];
    for (const rest of held) this.#owe(this.stored(rest)!, how, context);
    return held;
  }

  /** The store knows nothing of this session any more. */
  forgetSession(session: string): void {
    this.#ended.delete(session);
  }

  clear(): void {
    this.#entries.clear();
    this.#namespaces.clear();
    this.#tombstones.clear();
    this.#deleted.clear();
    this.#bySession.clear();
    this.#ended.clear();
    this.#owed.clear();
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

  /** As the store has it, also with a holder that has ended. */
  stored(rest: string): KvEntry | undefined {
    return this.#owed.get(rest) ?? this.#entries.get(rest);
  }

  /** Whether it is shown as let go of, while the store still has it as held. */
  isOwed(rest: string): boolean {
    return this.#owed.has(rest);
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

  namespaces(): Iterable<readonly [namespace: string, since: number]> {
    return this.#namespaces.since();
  }

  /** The keys that the store has as held by a session. */
  heldBy(session: string): Iterable<string> {
    return this.#bySession.get(session);
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

  #show(entry: KvEntry, context: Pick<ApplyContext, 'bump'>): void {
    if (this.#deleted.delete(entry.rest)) this.#tombstones.delete(entry.rest);
    const { size } = this.#entries;
    this.#entries.set(entry);
    if (this.#entries.size === size) return;
    const { rest, createIndex } = entry;
    if (this.#namespaces.add(namespaceOfRest(rest), createIndex)) context.bump(topicOf.namespaces, true);
  }

  #remove(rest: string, index: number, context: Pick<ApplyContext, 'bump'>): void {
    if (!this.#entries.delete(rest)) return;
    if (this.#namespaces.remove(namespaceOfRest(rest))) context.bump(topicOf.namespaces, true);
    this.#deleted.set(rest, index);
    this.#tombstones.set({ rest, modifyIndex: index });
    if (this.#deleted.size > this.#options.maxTombstones) this.#forget();
    this.#watches.changed(rest);
  }

  #owe(stored: KvEntry, how: LettingGo, context: Pick<ApplyContext, 'loading' | 'bump'>): void {
    this.#owed.set(stored.rest, stored);
    if (how.deletes) {
      this.#remove(stored.rest, how.index, context);
      return;
    }
    this.#show({ ...stored, session: '', modifyIndex: Math.max(stored.modifyIndex, how.index) }, context);
    if (!context.loading) this.#watches.changed(stored.rest);
  }

  /** Forgets how the store had it; whether that differed from what is shown. */
  #takeBack(rest: string): boolean {
    const stored = this.stored(rest);
    if (stored) this.#unhold(stored);
    return this.#owed.delete(rest);
  }

  #unhold({ session, rest }: KvEntry): void {
    this.#bySession.delete(session, rest);
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
