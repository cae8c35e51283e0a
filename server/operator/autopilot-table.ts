import { type AutopilotConfig, DEFAULT_AUTOPILOT } from '../../api/shapes/operator.ts';
import { AppError } from '../../core/errors.ts';
import type { StoreEntry } from '../../store/store.ts';
import { PlanBuilder } from '../catalog/plan.ts';
import { BOOL, fields, maybe, NUMBER, TEXT } from '../catalog/record-shape.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { ApplyContext, StateTable } from '../catalog/state-table.ts';
import type { StateWriter } from '../catalog/state-writer.ts';
import { createIndexOf, modifyIndexOf, type Stored, storedJson } from '../catalog/stored.ts';

/** The key of the one entry. */
const REST = 'config';

const CONFIG = fields({
  CleanupDeadServers: maybe(BOOL),
  LastContactThreshold: maybe(TEXT),
  MaxTrailingLogs: maybe(NUMBER),
  MinQuorum: maybe(NUMBER),
  ServerStabilizationTime: maybe(TEXT),
  RedundancyZoneTag: maybe(TEXT),
  DisableUpgradeMigration: maybe(BOOL),
  UpgradeVersionTag: maybe(TEXT),
});

/** Keeps what somebody has set of autopilot's configuration. */
export class AutopilotTable implements StateTable {
  readonly segment = 'autopilot';
  #stored: Stored<AutopilotConfig> | undefined;
  #base = 0;
  #broken: string | undefined;

  put(_rest: string, entry: StoreEntry, context: ApplyContext): void {
    this.#stored = storedJson<AutopilotConfig>(entry, CONFIG);
    this.#base = context.base;
    this.#broken = undefined;
  }

  check(_rest: string, entry: StoreEntry): void {
    storedJson(entry, CONFIG);
  }

  /** The defaults must not hold in its place: they take servers out that somebody may have wanted to keep. */
  refuse(_rest: string, _entry: StoreEntry, why: string): void {
    this.#stored = undefined;
    this.#broken = why;
  }

  delete(): void {
    this.clear();
  }

  clear(): void {
    this.#stored = undefined;
    this.#broken = undefined;
  }

  /** @throws AppError `storeCorrupt` while what is stored cannot be read. */
  assertReadable(): void {
    if (this.#broken !== undefined) throw new AppError('storeCorrupt', this.#broken);
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

  /** @throws AppError `notSynced`, `storeCorrupt` while what is stored cannot be read. */
  config(): AutopilotConfig & { CreateIndex: number; ModifyIndex: number } {
    const { state, table } = this.#deps;
    state.assertLoaded();
    table.assertReadable();
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
