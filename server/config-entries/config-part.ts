import { type ConfigBackend, configRoutes } from '../../api/routes/config-routes.ts';
import type { ConfigEntry } from '../../api/shapes/config-entry/entry.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { VirtualAddresses } from '../virtual-addresses/virtual-addresses.ts';
import { BootstrapEntries } from './bootstrap-entries.ts';
import { StateConfigBackend } from './config-backend.ts';
import type { ConfigTable } from './config-table.ts';
import { ConfigWriter } from './config-writer.ts';

/** Configuration entries, and what other parts need of them. */
export interface ConfigPart extends ServerPart {
  readonly table: ConfigTable;
  readonly writer: ConfigWriter;
  readonly config: ConfigBackend;
}

export function configPart(deps: PartDeps, options: { bootstrap: readonly ConfigEntry[] }): ConfigPart {
  const { configTable: table } = deps;
  const addresses = new VirtualAddresses({ state: deps.state, table: deps.virtualAddresses });
  const writer = new ConfigWriter({ ...deps, table, addresses }, deps);
  const backend = new StateConfigBackend({ ...deps, table, writer });
  const { bootstrap: entries } = options;
  return {
    tables: [table],
    routes: configRoutes(deps.reads, backend),
    runnables: entries.length > 0 ? [new BootstrapEntries({ ...deps, writer }, { entries })] : [],
    table,
    writer,
    config: backend,
  };
}
