import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { ChangeHistory, type HistoryLimits } from '../change-history.ts';
import type { Revision, StoreChange, StoreEvents } from '../store.ts';
import type { KeyIndex } from './key-index.ts';
import { decodeHead, ENTRY_HEAD_BYTES, entryRevisions, foreign, type GenerationLayout, type Head } from './layout.ts';
import type { EtcdEvent } from './messages.ts';
import { anotherStore, olderStore } from './mismatch.ts';

/** A state of the store that etcd had: what the replica knows of it, all but the values. */
export interface Content {
  readonly storeId: string;
  readonly generation: string;
  readonly layout: GenerationLayout;
  readonly head: Head;
  /** Etcd's revision of the head: as long as it stays, so does the content. */
  readonly headRevision: number;
  /** Etcd's revision at which entries are read: that of the head, or a later one at which it was still there. */
  readonly readRevision: number;
  readonly index: KeyIndex;
}

/** The stream of changes does not continue what is known: everything must be loaded anew. */
export class GapError extends Error {}

/** Changes of one revision of etcd, of which some are still to come. */
interface Pending {
  readonly head: Head;
  readonly etcdRevision: number;
  readonly events: EtcdEvent[];
  missing: number;
}

/**
 * What this process knows of the store, moved on by own commits and by etcd's watch, whichever tells first. Every
 * transaction names the head before it and counts its changes, so that a change which is missing, repeated or out of
 * order shows at once, whatever the reason.
 */
export class Replica {
  readonly history: ChangeHistory;
  /** Told of the id of every transaction that the watch brings. */
  onTransaction: (id: string) => void = () => {};
  #content: Content;
  #pending: Pending | undefined;
  /** Up to this revision of etcd the watch has nothing new: it was brought, loaded, or is told by a later stream. */
  #floor: number;
  /** Etcd's revisions of own commits after that, rising, which the watch has not brought yet. */
  #own: number[] = [];
  #loads = 0;
  #failure: AppError | undefined;
  #suspension: AppError | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(content: Content, limits: HistoryLimits) {
    this.#content = content;
    this.#floor = content.headRevision;
    this.history = new ChangeHistory({ floor: content.head.revision, limits });
  }

  /** Its index changes with the next transaction; the rest stays as it is. */
  get content(): Content {
    return this.#content;
  }

  get revision(): Revision {
    return this.#content.head.revision;
  }

  /** How often everything was loaded anew. */
  get loads(): number {
    return this.#loads;
  }

  /** Why nothing can be read or written now. */
  get failure(): AppError | undefined {
    return this.#failure ?? this.#suspension;
  }

  /** Whether only a restart helps. */
  get over(): boolean {
    return this.#failure !== undefined;
  }

  /** Moves on by an own transaction that etcd has taken at this revision; nothing when the watch was faster. */
  applied(events: readonly StoreEvents[], head: Head, etcdRevision: number): void {
    const { index, headRevision } = this.#content;
    if (etcdRevision <= headRevision) return;
    if (head.previous !== headRevision) throw new AppError('internal', 'a batch follows another head than it compared');
    for (const { revision, changes } of events) {
      for (const change of changes) apply(change, index);
      this.history.append({ revision, changes });
    }
    // The watch may have brought one part of it.
    this.#pending = undefined;
    this.#own.push(etcdRevision);
    this.#moveTo(head, etcdRevision);
  }

  /** Moves on by what a watch tells. @throws GapError, AppError `storeCorrupt`. */
  receive(events: readonly EtcdEvent[]): void {
    for (const event of events) {
      const at = event.kv.modRevision;
      if (at <= this.#content.headRevision) {
        this.#assertOwn(event);
        continue;
      }
      if (!this.#pending) this.#pending = this.#begin(event);
      else if (at !== this.#pending.etcdRevision)
        throw new GapError(`changes of etcd's revision ${this.#pending.etcdRevision} are missing`);
      else this.#pending.missing--;
      if (!this.#content.layout.isHead(event.kv.key)) this.#pending.events.push(event);
      if (this.#pending.missing > 0) continue;
      const pending = this.#pending;
      this.#pending = undefined;
      this.#finish(pending);
    }
  }

  /** Its stream has ended: forgets a transaction that was received by half; the next one begins after what is known. */
  interrupted(): void {
    this.#pending = undefined;
    this.#listenAfter(this.#content.headRevision);
  }

  /**
   * Takes a content that was loaded anew, or switched to; `before`: what was known when that began. Watches that cannot go on
   * from it end with `compacted`. One of another store, or older than what was known then, is not taken: everything is
   * suspended. One that is merely older than what has become known meanwhile changes nothing.
   */
  adopt(content: Content, before: Content = this.#content): void {
    const mine = this.#content;
    const mismatch = mismatchOf(content, before);
    if (mismatch) {
      this.suspend(mismatch);
      return;
    }
    this.#suspension = undefined;
    const sameGeneration = content.generation === mine.generation;
    const sameRevision = sameGeneration && content.head.revision === mine.head.revision;
    const asKnown = sameRevision && content.headRevision === mine.headRevision;
    // Own commits, a restore or another load may have moved on since this one began.
    if (!asKnown && !isOlder(content, mine)) {
      this.#loads++;
      this.#pending = undefined;
      this.#content = content;
      if (content.headRevision < mine.headRevision) this.#own = [];
      this.#listenAfter(content.headRevision);
      if (!sameRevision) this.history.reset(content.head.revision);
    }
    this.#wake();
  }

  /** Nothing can be read or written until a content is adopted; watches wait. */
  suspend(error: AppError): void {
    this.#suspension = error;
    this.#wake();
  }

  /** From now on nothing can be read or written. */
  fail(error: AppError): void {
    this.#failure ??= error;
    this.history.fail(this.#failure);
    this.#wake();
  }

  /**
   * Waits until it knows this revision of etcd, or has failed; whether it does. Etcd told the revision while `generation`
   * counted: of one that is there no more it only tells that, and when another one has its place nothing is waited for.
   */
  async reached(etcdRevision: number, generation: string, clock: Clock, withinMs: number): Promise<boolean> {
    const until = clock.monotonic() + withinMs;
    while (!this.failure && this.#content.generation === generation) {
      if (this.#content.headRevision >= etcdRevision) return true;
      const leftMs = until - clock.monotonic();
      if (leftMs <= 0) return false;
      await this.#change(clock, leftMs);
    }
    return false;
  }

  #listenAfter(etcdRevision: number): void {
    this.#floor = etcdRevision;
    this.#own = this.#own.filter((revision) => revision > etcdRevision);
  }

  /** What an own commit has overtaken is its own change, or one of somebody else. @throws AppError `storeCorrupt`. */
  #assertOwn({ kv }: EtcdEvent): void {
    if (kv.modRevision <= this.#floor) return;
    if (!this.#own.includes(kv.modRevision)) throw changedByOthers(kv.key);
    this.#listenAfter(kv.modRevision);
  }

  #begin(event: EtcdEvent): Pending {
    const { layout, headRevision, head: mine } = this.#content;
    const { key, value, modRevision } = event.kv;
    // Every transaction of an engine puts the head first.
    if (!layout.isHead(key)) throw changedByOthers(key);
    if (event.deleted) throw new GapError('the head was removed');
    const head = decodeHead(key, value);
    if (head.movedTo) throw new GapError(`the store has moved to generation ${head.movedTo}`);
    if (head.previous !== headRevision || head.revision - head.changes.length !== mine.revision) {
      throw new GapError(`revision ${head.revision} does not follow ${mine.revision}`);
    }
    const missing = head.changes.reduce((sum, count) => sum + count, 0);
    return { head, etcdRevision: modRevision, events: [], missing };
  }

  #finish({ head, etcdRevision, events }: Pending): void {
    const { layout, index } = this.#content;
    let at = 0;
    let revision = head.revision - head.changes.length;
    const batches = head.changes.map((count): StoreEvents => {
      revision++;
      const changes = events.slice(at, at + count).map((event) => toChange(event, layout, { ...head, revision }));
      at += count;
      for (const change of changes) apply(change, index);
      return { revision, changes };
    });
    // What is loaded then has a newer head, and takes the place of all this.
    if (head.content && !index.digest.equals(head.content)) {
      throw new GapError(`the entries of revision ${head.revision} are not those of its writer`);
    }
    for (const batch of batches) this.history.append(batch);
    this.#listenAfter(etcdRevision);
    this.#moveTo(head, etcdRevision);
    this.onTransaction(head.id);
  }

  #moveTo(head: Head, headRevision: number): void {
    this.#content = { ...this.#content, head, headRevision, readRevision: headRevision };
    this.#wake();
  }

  #change(clock: Clock, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        this.#waiting.delete(done);
        resolve();
      };
      const timer = clock.after(ms, done, { keepAlive: true });
      this.#waiting.add(done);
    });
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }
}

/** Why what was loaded cannot take the place of what was known. */
function mismatchOf(loaded: Content, known: Content): AppError | undefined {
  if (loaded.storeId !== known.storeId) return anotherStore(loaded.storeId, known.storeId);
  return isOlder(loaded, known) ? olderStore(loaded.head.revision, known.head.revision) : undefined;
}

/** Etcd's own revision also falls when it was restored and the store was lifted above what was known. */
function isOlder(one: Content, other: Content): boolean {
  const by = one.head.revision - other.head.revision;
  return by < 0 || (by === 0 && one.headRevision < other.headRevision);
}

function changedByOthers(key: Buffer): AppError {
  return new AppError(
    'storeCorrupt',
    `etcd's key ${JSON.stringify(key.toString())} was changed by something else than a server; keep others away from ` +
      'the prefix, then restart the servers',
  );
}

function apply(change: StoreChange, index: KeyIndex): void {
  if (change.kind === 'delete') index.delete(change.key);
  else index.set(change.entry.key, change.entry.createRevision, change.entry.modRevision);
}

/** The change that an event of etcd stands for, in bytes of its own. */
function toChange(event: EtcdEvent, layout: GenerationLayout, head: Head): StoreChange {
  const { key: etcdKey, value } = event.kv;
  const key = layout.keyOf(etcdKey);
  if (event.deleted) return { kind: 'delete', key, modRevision: head.revision };
  const { createRevision, modRevision } = entryRevisions(etcdKey, value, head);
  if (modRevision !== head.revision) throw foreign(etcdKey);
  return {
    kind: 'put',
    entry: { key, value: new Uint8Array(value.subarray(ENTRY_HEAD_BYTES)), createRevision, modRevision },
  };
}
