import type { Session, SessionContent } from '../../api/shapes/session.ts';
import type { Clock } from '../../core/clock.ts';
import type { StoreEntry } from '../../store/store.ts';
import { NamespaceCounts } from '../catalog/namespace-counts.ts';
import type { ApplyContext, StateTable } from '../catalog/state-table.ts';
import type { Stored } from '../catalog/stored.ts';
import { Topics, topicOf } from '../catalog/topics.ts';
import { BoundIndex } from './bound-index.ts';
import { sessionInPlaceOf, sessionShape, storedSession } from './stored-session.ts';

/** A session as it is stored. */
export interface SessionRecord {
  readonly id: string;
  readonly namespace: string;
  readonly content: SessionContent;
  /** When it ended, wall clock, while the store still has keys as held by it: more than one transaction can release. */
  readonly deadSinceMs?: number;
}

export interface SessionEntry {
  readonly stored: Stored<SessionRecord>;
  /** Its JSON form. */
  readonly shape: Session;
  /** What is stored cannot be read: it keeps what it holds until somebody ends it. */
  readonly broken?: boolean;
}

/** Told of every session that comes or goes. */
export interface SessionListener {
  added(entry: SessionEntry): void;
  removed(id: string): void;
}

/** What sessions hold. */
export interface Holdings {
  /** A session has ended while the store still has keys as held by it. */
  letGo(entry: SessionEntry, context: ApplyContext): void;
  /** The session is stored no longer. */
  forget(id: string): void;
  settle(context: ApplyContext): void;
}

/** An end that is certain, and not stored. */
interface Ending {
  readonly wallMs: number;
  /** Nobody is shown the session any more. */
  readonly hidden: boolean;
}

const topic = {
  list: (namespace: string) => `list/${namespace}`,
  node: (namespace: string, node: string) => `node/${namespace}/${node.toLowerCase()}`,
  id: (id: string) => `id/${id}`,
};

/**
 * All sessions. One whose end is certain holds no further key and cannot be renewed. It is shown until that is stored, so
 * that what has been seen to be gone does not come back with another leader; one whose end follows from what is stored
 * already (its node, its checks) is not.
 */
export class SessionTable implements StateTable {
  readonly segment = 'session';
  /** Of their own, so that sessions that come and go do not push services out of what is remembered. */
  readonly topics: Topics;
  readonly #byId = new Map<string, SessionEntry>();
  readonly #namespaces = new NamespaceCounts();
  readonly #bound = new BoundIndex();
  readonly #holdings: Holdings;
  readonly #ending = new Map<string, Ending>();
  readonly #listeners = new Set<SessionListener>();

  constructor(deps: { clock: Clock; holdings: Holdings }) {
    this.#holdings = deps.holdings;
    this.topics = new Topics(deps, { maxWatchers: 100_000, maxRemembered: 10_000 });
  }

  put(rest: string, entry: StoreEntry, context: ApplyContext): void {
    this.#keep(rest, storedSession(rest, entry), { broken: false }, context);
  }

  check(rest: string, entry: StoreEntry): void {
    storedSession(rest, entry);
  }

  /** Nobody else gets what it holds. */
  refuse(rest: string, entry: StoreEntry, _why: string, context: ApplyContext): void {
    const before = this.#byId.get(rest)?.stored.record;
    this.#keep(rest, sessionInPlaceOf(rest, before, entry), { broken: true }, context);
  }

  #keep(
    rest: string,
    stored: Stored<SessionRecord>,
    { broken }: { readonly broken: boolean },
    context: ApplyContext,
  ): void {
    const { id, deadSinceMs } = stored.record;
    const added: SessionEntry = { stored, broken, shape: sessionShape(stored, context.base) };
    const before = this.#byId.get(rest);
    if (before) this.#bound.delete(before);
    else if (this.#namespaces.add(stored.record.namespace, added.shape.CreateIndex)) {
      context.bump(topicOf.namespaces, true);
    }
    this.#byId.set(id, added);
    this.#bound.add(added);
    if (deadSinceMs !== undefined) {
      this.#ending.set(id, { wallMs: deadSinceMs, hidden: true });
      this.#holdings.letGo(added, context);
    }
    this.#touch(added, context.index);
    if (!context.loading) for (const listener of this.#listeners) listener.added(added);
  }

  delete(rest: string, context: ApplyContext): void {
    const entry = this.#byId.get(rest);
    if (!entry) return;
    this.#bound.delete(entry);
    this.#byId.delete(rest);
    if (this.#namespaces.remove(entry.stored.record.namespace)) context.bump(topicOf.namespaces, true);
    this.#ending.delete(rest);
    this.#holdings.forget(rest);
    this.#touch(entry, context.index);
    for (const listener of this.#listeners) listener.removed(rest);
  }

  clear(): void {
    this.#byId.clear();
    this.#namespaces.clear();
    this.#bound.clear();
    this.#ending.clear();
    this.topics.forgetData();
  }

  settle(context: ApplyContext): void {
    if (context.loading) this.topics.raiseFloor(context.index);
    else this.#holdings.settle(context);
    this.topics.flush();
  }

  listen(listener: SessionListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Also one that is ending. */
  stored(id: string): SessionEntry | undefined {
    return this.#byId.get(id);
  }

  /** One that lives. */
  find(id: string, namespace?: string): SessionEntry | undefined {
    return this.#ending.has(id) ? undefined : this.shown(id, namespace);
  }

  /** One that lives, or whose end nobody has seen yet. */
  shown(id: string, namespace?: string): SessionEntry | undefined {
    const entry = this.#byId.get(id);
    if (!entry || this.#ending.get(id)?.hidden) return undefined;
    return namespace === undefined || entry.stored.record.namespace === namespace ? entry : undefined;
  }

  /** Whether its end is certain, though the session is stored. */
  isEnding(id: string): boolean {
    return this.#ending.has(id);
  }

  /** Since when its end is certain, by the wall clock; undefined while it lives. */
  endingSince(id: string): number | undefined {
    return this.#ending.get(id)?.wallMs;
  }

  /** Its end is certain from now on. `hiddenAt`: and nobody is shown it any more, as of this index. */
  markEnding(id: string, { wallMs, hiddenAt }: { readonly wallMs: number; readonly hiddenAt?: number }): void {
    const entry = this.find(id);
    if (!entry) return;
    this.#ending.set(id, { wallMs, hidden: hiddenAt !== undefined });
    if (hiddenAt === undefined) return;
    this.#touch(entry, hiddenAt);
    this.topics.flush();
  }

  /** All whose end is not stored live again. */
  unmarkEnding(index: number): void {
    for (const id of [...this.#ending.keys()]) {
      const entry = this.#byId.get(id);
      if (!entry || entry.stored.record.deadSinceMs !== undefined) continue;
      this.#ending.delete(id);
      this.#touch(entry, index);
      this.topics.flush();
    }
  }

  namespaces(): Iterable<readonly [namespace: string, since: number]> {
    return this.#namespaces.since();
  }

  /** All that are stored. */
  entries(): Iterable<SessionEntry> {
    return this.#byId.values();
  }

  /** All that are stored and are bound to a node. */
  onNode(node: string): Iterable<SessionEntry> {
    return this.#bound.onNode(node);
  }

  /** All that are stored and name a check of a node, by its key there. */
  onCheck(node: string, check: string): Iterable<SessionEntry> {
    return this.#bound.onCheck(node, check);
  }

  /** Those that are shown, by id. */
  list(namespace: string): Session[] {
    return this.#shapes(this.#byId.values(), namespace);
  }

  listOfNode(namespace: string, node: string): Session[] {
    return this.#shapes(this.onNode(node), namespace);
  }

  topicOfList(namespace: string): string {
    return topic.list(namespace);
  }
  topicOfNode(namespace: string, node: string): string {
    return topic.node(namespace, node);
  }
  topicOfId(id: string): string {
    return topic.id(id);
  }

  #shapes(entries: Iterable<SessionEntry>, namespace: string): Session[] {
    const shapes: Session[] = [];
    for (const { shape, stored } of entries) {
      if (stored.record.namespace === namespace && !this.#ending.get(shape.ID)?.hidden) shapes.push(shape);
    }
    return shapes.sort((a, b) => (a.ID < b.ID ? -1 : 1));
  }

  #touch({ shape, stored }: SessionEntry, index: number): void {
    const { namespace } = stored.record;
    this.topics.bump(topic.list(namespace), index, true);
    this.topics.bump(topic.node(namespace, shape.Node), index, this.#bound.hasNode(shape.Node));
    this.topics.bump(topic.id(shape.ID), index, this.#byId.has(shape.ID));
  }
}
