import { type AutopilotConfig, DEFAULT_AUTOPILOT } from '../../api/shapes/operator.ts';
import type { StoreEntry } from '../../store/store.ts';
import { PlanBuilder } from '../catalog/plan.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { ApplyContext, StateTable } from '../catalog/state-table.ts';
import type { StateWriter } from '../catalog/state-writer.ts';
import { createIndexOf, modifyIndexOf, type Stored, storedJson } from '../catalog/stored.ts';

/** The key of the one entry. */
const REST = 'config';

/** Keeps what somebody has set of autopilot's configuration. */
export class AutopilotTable implements StateTable {
  readonly segment = 'autopilot';
  #stored: Stored<AutopilotConfig> | undefined;
  #base = 0;

  put(_rest: string, entry: StoreEntry, context: ApplyContext): void {
    this.#stored = storedJson<AutopilotConfig>(entry);
    this.#base = context.base;
  }

  delete(): void {
    this.#stored = undefined;
  }

  clear(): void {
    this.#stored = undefined;
  }

  get stored(): Stored<AutopilotConfig> | undefined {
    return this.#stored;
  }

  /** The indexes of the stored configuration; undefined while the defaults hold. */
  get indexes(): { CreateIndex: number; ModifyIndex: number } | undefined {
    const stored = this.#stored;
    return (
      stored && {
        CreateIndex: createIndexOf(stored, this.#base),
        ModifyIndex: modifyIndexOf(stored, this.#base),
      }
    );
  }
}

/** Reads and sets the configuration. */
export class AutopilotSettings {
  readonly #deps: { state: CatalogState; writer: Pick<StateWriter, 'write'>; table: AutopilotTable };

  constructor(deps: { state: CatalogState; writer: Pick<StateWriter, 'write'>; table: AutopilotTable }) {
    this.#deps = deps;
  }

  /** @throws AppError `notSynced`. */
  config(): AutopilotConfig & { CreateIndex: number; ModifyIndex: number } {
    const { state, table } = this.#deps;
    state.assertLoaded();
    // The defaults are as old as the catalog.
    const { base } = state;
    const indexes = table.indexes ?? { CreateIndex: base, ModifyIndex: base };
    return { ...DEFAULT_AUTOPILOT, ...table.stored?.record, ...indexes };
  }

  /** Whether it was set: with `cas` only when the configuration has this ModifyIndex. */
  async set(config: AutopilotConfig, cas: number | undefined): Promise<boolean> {
    const { state, table, writer } = this.#deps;
    let held = true;
    await writer.write(() => {
      const plan = new PlanBuilder();
      const key = state.keys.table(table.segment, REST);
      held = cas === undefined || cas === this.config().ModifyIndex;
      if (held) plan.put(key, table.stored, config);
      return plan.build();
    });
    return held;
  }
}
