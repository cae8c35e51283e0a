import type { LiveRead } from '../../api/routes/catalog-backend.ts';
import type { KvBackend, KvList, KvPut } from '../../api/routes/kv-routes.ts';
import type { KvItem } from '../../api/shapes/kv.ts';
import { AppError } from '../../core/errors.ts';
import { type Plan, PlanBuilder } from '../catalog/plan.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { StateWriter } from '../catalog/state-writer.ts';
import { type KvSessions, lockContent, matchesIndex, setContent, unlockContent } from './kv-change.ts';
import { keyOfRest, kvRest } from './kv-keys.ts';
import { encodeKv, type KvContent, type KvEntry, sameContent } from './kv-record.ts';
import type { KvTable } from './kv-table.ts';
import type { KvWatches } from './kv-watches.ts';

export interface KvBackendDeps {
  readonly state: CatalogState;
  readonly writer: Pick<StateWriter, 'write'>;
  readonly table: KvTable;
  readonly watches: KvWatches;
  readonly sessions: KvSessions;
}

/** Keys and values over the state of this server. */
export class StateKvBackend implements KvBackend {
  readonly #deps: KvBackendDeps;

  constructor(deps: KvBackendDeps) {
    this.#deps = deps;
  }

  get(namespace: string, key: string): LiveRead<KvItem | undefined> {
    const { state, table, watches } = this.#deps;
    const rest = kvRest(namespace, key);
    return {
      run: () => this.#reading(table.keyVersion(rest), () => itemOf(table.get(rest))),
      version: () => {
        state.assertLoaded();
        return table.keyVersion(rest);
      },
      admit: () => watches.admit(),
      watch: (wake) => watches.watchKey(rest, wake),
    };
  }

  list(namespace: string, prefix: string): LiveRead<KvList<KvItem>> {
    return this.#ofPrefix(kvRest(namespace, prefix), (rest) => {
      const items: KvItem[] = [];
      for (const entry of this.#deps.table.withPrefix(rest)) items.push(itemOf(entry)!);
      return items;
    });
  }

  keys(namespace: string, prefix: string, separator: string): LiveRead<KvList<string>> {
    const { table } = this.#deps;
    return this.#ofPrefix(kvRest(namespace, prefix), (rest) => table.keys(rest, separator).map(keyOfRest));
  }

  async put(put: KvPut): Promise<boolean | 'noSession'> {
    const { writer, table, sessions } = this.#deps;
    const rest = kvRest(put.namespace, put.key);
    await sessions.ending(rest, put.acquire);
    let done = false as boolean | 'noSession';
    await writer.write(() => {
      const plan = new PlanBuilder();
      const before = table.get(rest);
      const after = this.#after(plan, put, rest, before);
      done = after === 'noSession' ? after : after !== undefined;
      this.#planContent(plan, rest, before, after === 'noSession' ? before : after);
      return plan.build();
    });
    // Its end may have become certain only meanwhile: whoever is told of it is told so for good.
    if (done === 'noSession') await sessions.ending(rest, put.acquire);
    return done;
  }

  async delete(namespace: string, key: string, cas?: bigint): Promise<boolean> {
    const { writer, table, state, sessions } = this.#deps;
    const rest = kvRest(namespace, key);
    await sessions.ending(rest);
    let done = false;
    await writer.write(() => {
      const plan = new PlanBuilder();
      const before = table.get(rest);
      done = !before || cas === undefined || matchesIndex(before, cas);
      const place = state.keys.table(table.segment, rest);
      if (done) plan.delete(place, before);
      else plan.own(place, before);
      return plan.build();
    });
    return done;
  }

  async deleteTree(namespace: string, prefix: string): Promise<void> {
    const { writer, table, state } = this.#deps;
    const rest = kvRest(namespace, prefix);
    // It relies on nothing: what is there when it is committed goes.
    await writer.write((): Plan => {
      const plan = new PlanBuilder();
      const [any] = table.withPrefix(rest);
      if (any) plan.deleteRange(state.keys.tableRange(table.segment, rest));
      return plan.build();
    });
  }

  /** What the key holds afterwards; undefined when the condition does not hold. */
  #after(
    plan: PlanBuilder,
    put: KvPut,
    rest: string,
    before: KvEntry | undefined,
  ): KvContent | 'noSession' | undefined {
    const { sessions } = this.#deps;
    if (put.acquire !== undefined) {
      const session = sessions.find(put.acquire, put.namespace);
      if (!session) return 'noSession';
      if (sessions.delayedUntil(rest) !== undefined && before?.session !== put.acquire) return undefined;
      plan.rely(session.key, session.known);
      return lockContent(before, put, put.acquire);
    }
    if (put.release !== undefined) return unlockContent(before, put, put.release);
    if (put.cas !== undefined && !matchesIndex(before, put.cas)) return undefined;
    return setContent(before, put);
  }

  #planContent(plan: PlanBuilder, rest: string, before: KvEntry | undefined, after: KvContent | undefined): void {
    const place = this.#deps.state.keys.table(this.#deps.table.segment, rest);
    if (!after || after === before || (before && sameContent(before, after))) plan.own(place, before);
    else plan.putBytes(place, before, encodeKv(after));
  }

  #ofPrefix<T>(rest: string, read: (rest: string) => T[]): LiveRead<KvList<T>> {
    const { table, watches } = this.#deps;
    return {
      run: () => {
        const index = table.prefixVersion(rest);
        return this.#reading(index, () => ({ index, items: read(rest) }));
      },
      admit: () => watches.admit(),
      watch: (wake) => watches.watchPrefix(rest, wake),
    };
  }

  #reading<T>(index: number, read: () => T) {
    const { state } = this.#deps;
    state.assertLoaded();
    let made: { readonly value: T } | undefined;
    return {
      get value() {
        made ??= { value: read() };
        return made.value;
      },
      index,
      applied: state.applied,
    };
  }
}

/** What is handed out of a key. @throws AppError `storeCorrupt` when it cannot be read. */
export function itemOf(entry: KvEntry | undefined): KvItem | undefined {
  if (entry?.broken !== undefined) throw new AppError('storeCorrupt', `${entry.broken}; put the key anew or delete it`);
  return entry && { ...entry, key: keyOfRest(entry.rest) };
}
