import type { Session, SessionContent } from '../../api/shapes/session.ts';
import type { Clock } from '../../core/clock.ts';
import type { StoreEntry } from '../../store/store.ts';
import type { ApplyContext, StateTable } from '../catalog/state-table.ts';
import { createIndexOf, modifyIndexOf, type Stored, storedJson } from '../catalog/stored.ts';
import { Topics } from '../catalog/topics.ts';

/** A session as it is stored. */
export interface SessionRecord {
  readonly id: string;
  readonly namespace: string;
  readonly content: SessionContent;
  /** When it ended, while it still holds more than one transaction can release; wall clock. */
  readonly deadSinceMs?: number;
}

export interface SessionEntry {
  readonly stored: Stored<SessionRecord>;
  /** Its JSON form. */
  readonly shape: Session;
}

/** Told of every session that comes or goes. */
export interface SessionListener {
  added(entry: SessionEntry): void;
  removed(id: string): void;
}

const topic = {
  list: (namespace: string) => `list/${namespace}`,
  node: (namespace: string, node: string) => `node/${namespace}/${node.toLowerCase()}`,
  id: (id: string) => `id/${id}`,
};

/**
 * All sessions. One whose end is certain counts as gone for everybody, from that moment on, though it is stored until
 * its end is.
 */
export class SessionTable implements StateTable {
  readonly segment = 'session';
  /** Of their own, so that sessions that come and go do not push services out of what is remembered. */
  readonly topics: Topics;
  readonly #byId = new Map<string, SessionEntry>();
  readonly #byNode = new Map<string, Set<SessionEntry>>();
  readonly #ending = new Map<string, number>();
  readonly #listeners = new Set<SessionListener>();

  constructor(deps: { clock: Clock }) {
    this.topics = new Topics(deps, { maxWatchers: 100_000, maxRemembered: 10_000 });
  }

  put(rest: string, entry: StoreEntry, context: ApplyContext): void {
    const stored = storedJson<SessionRecord>(entry);
    const { id, content, deadSinceMs } = stored.record;
    const added: SessionEntry = {
      stored,
      shape: {
        ID: id,
        ...content,
        CreateIndex: createIndexOf(stored, context.base),
        ModifyIndex: modifyIndexOf(stored, context.base),
      },
    };
    this.#unlist(rest);
    this.#byId.set(id, added);
    const node = content.Node.toLowerCase();
    this.#byNode.set(node, (this.#byNode.get(node) ?? new Set()).add(added));
    if (deadSinceMs !== undefined) this.#ending.set(id, deadSinceMs);
    this.#touch(added, context.index);
    if (!context.loading) for (const listener of this.#listeners) listener.added(added);
  }

  delete(rest: string, context: ApplyContext): void {
    const entry = this.#byId.get(rest);
    if (!entry) return;
    this.#unlist(rest);
    this.#byId.delete(rest);
    this.#ending.delete(rest);
    this.#touch(entry, context.index);
    for (const listener of this.#listeners) listener.removed(rest);
  }

  clear(): void {
    this.#byId.clear();
    this.#byNode.clear();
    this.#ending.clear();
    this.topics.forgetData();
  }

  settle(context: ApplyContext): void {
    if (context.loading) this.topics.raiseFloor(context.index);
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

  find(id: string, namespace?: string): SessionEntry | undefined {
    const entry = this.#byId.get(id);
    if (!entry || this.#ending.has(id)) return undefined;
    return namespace === undefined || entry.stored.record.namespace === namespace ? entry : undefined;
  }

  /** Since when it counts as gone, by the wall clock; undefined while it lives. */
  endingSince(id: string): number | undefined {
    return this.#ending.get(id);
  }

  /** From now on it counts as gone; whether it lived until now. */
  markEnding(id: string, at: { readonly wallMs: number; readonly index: number }): boolean {
    const entry = this.find(id);
    if (!entry) return false;
    this.#ending.set(id, at.wallMs);
    this.#touch(entry, at.index);
    this.topics.flush();
    return true;
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

  namespaces(): Set<string> {
    const found = new Set<string>();
    for (const { stored } of this.#byId.values()) found.add(stored.record.namespace);
    return found;
  }

  /** All that are stored. */
  entries(): Iterable<SessionEntry> {
    return this.#byId.values();
  }

  /** All that are stored and are bound to a node. */
  onNode(node: string): Iterable<SessionEntry> {
    return this.#byNode.get(node.toLowerCase()) ?? [];
  }

  /** Those that live, by id. */
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
      if (stored.record.namespace === namespace && !this.#ending.has(shape.ID)) shapes.push(shape);
    }
    return shapes.sort((a, b) => (a.ID < b.ID ? -1 : 1));
  }

  #touch({ shape, stored }: SessionEntry, index: number): void {
    const { namespace } = stored.record;
    this.topics.bump(topic.list(namespace), index, true);
    this.topics.bump(topic.node(namespace, shape.Node), index, this.#byNode.has(shape.Node.toLowerCase()));
    this.topics.bump(topic.id(shape.ID), index, this.#byId.has(shape.ID));
  }

  #unlist(id: string): void {
    const entry = this.#byId.get(id);
    if (!entry) return;
    const node = entry.shape.Node.toLowerCase();
    const siblings = this.#byNode.get(node);
    siblings?.delete(entry);
    if (siblings?.size === 0) this.#byNode.delete(node);
  }
}
