import type { LiveRead } from '../../api/routes/catalog-backend.ts';
import type { SessionBackend } from '../../api/routes/session-routes.ts';
import type { Session, SessionContent } from '../../api/shapes/session.ts';
import type { Clock } from '../../core/clock.ts';
import type { Key } from '../../store/store.ts';
import type { Known } from '../catalog/plan.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { KvSessions } from '../kv/kv-change.ts';
import type { KvTable } from '../kv/kv-table.ts';
import type { LockDelays } from './lock-delays.ts';
import type { SessionKeeper } from './session-keeper.ts';
import type { SessionTable } from './session-table.ts';
import type { SessionWriter } from './session-writer.ts';

export interface SessionBackendDeps {
  readonly state: CatalogState;
  readonly table: SessionTable;
  readonly delays: LockDelays;
  readonly keys: Pick<KvTable, 'stored' | 'isOwed'>;
  readonly writer: SessionWriter;
  readonly keeper: SessionKeeper;
  readonly clock: Clock;
}

/** Sessions over the state of this server, for clients and for what else can be bound to them. */
export class StateSessionBackend implements SessionBackend, KvSessions {
  readonly #deps: SessionBackendDeps;

  constructor(deps: SessionBackendDeps) {
    this.#deps = deps;
  }

  list(namespace: string): LiveRead<readonly Session[]> {
    const { table } = this.#deps;
    return this.#read(table.topicOfList(namespace), () => table.list(namespace));
  }

  ofNode(namespace: string, node: string): LiveRead<readonly Session[]> {
    const { table } = this.#deps;
    return this.#read(table.topicOfNode(namespace, node), () => table.listOfNode(namespace, node));
  }

  byId(namespace: string, id: string): LiveRead<Session | undefined> {
    const { table } = this.#deps;
    return this.#read(table.topicOfId(id), () => table.shown(id, namespace)?.shape);
  }

  create(namespace: string, content: SessionContent): Promise<{ id: string } | { refused: string }> {
    return this.#deps.writer.create(namespace, content);
  }

  async destroy(namespace: string, id: string): Promise<void> {
    this.#deps.state.assertLoaded();
    if (this.#deps.table.stored(id)?.stored.record.namespace === namespace) await this.#deps.writer.end(id);
  }

  async renew(namespace: string, id: string): Promise<Session | undefined> {
    const { table, state, keeper, writer } = this.#deps;
    state.assertLoaded();
    const entry = table.find(id, namespace);
    if (entry) keeper.renewed(id);
    // Whoever is told that it is gone is told so for good.
    else if (table.shown(id, namespace)) await writer.end(id);
    return entry?.shape;
  }

  find(id: string, namespace?: string): { readonly key: Key; readonly known: Known } | undefined {
    const { table, state } = this.#deps;
    const entry = table.find(id, namespace);
    return entry && { key: state.keys.table(table.segment, id), known: entry.stored };
  }

  ending(rest: string, session?: string): Promise<void> | undefined {
    const { table, keys, writer } = this.#deps;
    if (keys.isOwed(rest)) return writer.letGo(rest);
    if (session === undefined) return undefined;
    const holder = keys.stored(rest)?.session ?? '';
    const over = [session, holder].find((id) => table.isEnding(id));
    return over === undefined ? undefined : writer.end(over);
  }

  delayedUntil(rest: string): number | undefined {
    const { delays, clock } = this.#deps;
    const left = delays.left(rest);
    return left > 0 ? clock.now() + left : undefined;
  }

  #read<T>(topic: string, read: () => T): LiveRead<T> {
    const { state, table } = this.#deps;
    return {
      run: () => {
        state.assertLoaded();
        return { value: read(), index: table.topics.version(topic), applied: state.applied };
      },
      admit: () => table.topics.admit(),
      watch: (wake) => table.topics.watch([topic], wake),
    };
  }
}
