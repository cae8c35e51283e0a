import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import { checkConfigEntry } from '../../api/shapes/config-entry/decode.ts';
import type { ConfigEntry, ConfigKind } from '../../api/shapes/config-entry/entry.ts';
import type { Key } from '../../store/store.ts';
import { type Plan, PlanBuilder } from '../catalog/plan.ts';
import { sameRecord } from '../catalog/records.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { StateWriter } from '../catalog/state-writer.ts';
import { type ConfigTable, configRest, type KeptEntry } from './config-table.ts';
import { checkGraph, givesAddress, isInGraph } from './graph-rules.ts';

/** Gives services addresses of their own. */
export interface AddressBook {
  allocate(plan: PlanBuilder, service: string): string;
}

export interface ConfigWriterDeps {
  readonly state: CatalogState;
  readonly writer: Pick<StateWriter, 'write'>;
  readonly table: ConfigTable;
  readonly addresses: AddressBook;
}

/** Writes configuration entries, each checked on its own and together with the others. */
export class ConfigWriter {
  readonly #deps: ConfigWriterDeps;
  readonly #datacenter: string;

  constructor(deps: ConfigWriterDeps, options: { datacenter: string }) {
    this.#deps = deps;
    this.#datacenter = options.datacenter;
  }

  /**
   * With `cas` only over the entry that was modified at this index; 0: only if there is none. Gives whether it did.
   * @throws AppError `badRequest` with Consul's text.
   */
  put(entry: ConfigEntry, cas?: bigint): Promise<boolean> {
    checkConfigEntry(entry);
    return this.change(entry.Kind, entry.Name, (before) => (fits(before, cas) ? entry : 'keep'));
  }

  /** Gives whether it did, which it does for an absent entry, too, unless `cas` is given. */
  delete(kind: ConfigKind, name: string, cas?: bigint): Promise<boolean> {
    return this.change(kind, name, (before) =>
      cas === undefined || (before && fits(before, cas)) ? undefined : 'keep',
    );
  }

  /**
   * Makes what `next` gives of the present entry, perhaps several times: another, nothing, or the same as before (`keep`,
   * which gives false). Entries that it makes have to be checked on their own.
   */
  async change(
    kind: ConfigKind,
    name: string,
    next: (before: KeptEntry | undefined) => ConfigEntry | undefined | 'keep',
  ): Promise<boolean> {
    let done = false;
    await this.#deps.writer.write(() => {
      const before = this.#deps.table.kept(kind, name);
      const after = next(before);
      done = after !== 'keep';
      return this.#plan({ kind, name, after: after === 'keep' ? before?.stored.record : after }, before);
    });
    return done;
  }

  #plan(
    change: { kind: ConfigKind; name: string; after: ConfigEntry | undefined },
    before: KeptEntry | undefined,
  ): Plan {
    const { table } = this.#deps;
    const { kind, name, after } = change;
    const plan = new PlanBuilder();
    const key = this.#key(configRest.entry(kind, name));
    const old = before?.stored;
    if (old?.record === after || (old && after && sameRecord(old.record, after))) {
      plan.own(key, old);
      return plan.build();
    }
    checkGraph(change, table, this.#datacenter);
    const graph = this.#key(configRest.graph);
    if (isInGraph(kind)) plan.putBytes(graph, table.graph, String((table.graph?.record ?? 0) + 1));
    else plan.rely(graph, table.graph);
    if (after) plan.put(key, old, after);
    else plan.delete(key, old);
    const intentions = table.kept('service-intentions', name)?.stored;
    if (isInGraph(kind)) plan.rely(this.#key(configRest.entry('service-intentions', name)), intentions);
    if (after && givesAddress(after)) {
      this.#deps.addresses.allocate(plan, `${DEFAULT_NAMESPACE}/${after.Name.toLowerCase()}`);
    }
    return plan.build();
  }

  #key(rest: string): Key {
    return this.#deps.state.keys.table(this.#deps.table.segment, rest);
  }
}

function fits(before: KeptEntry | undefined, cas: bigint | undefined): boolean {
  if (cas === undefined) return true;
  return before ? BigInt(before.indexes.ModifyIndex) === cas : cas === 0n;
}
