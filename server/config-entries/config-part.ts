import { type ConfigBackend, configRoutes } from '../../api/routes/config-routes.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { VirtualAddresses } from '../virtual-addresses/virtual-addresses.ts';
import { StateConfigBackend } from './config-backend.ts';
import type { ConfigTable } from './config-table.ts';
import { ConfigWriter } from './config-writer.ts';

/** Configuration entries, and what other parts need of them. */
export interface ConfigPart extends ServerPart {
  readonly table: ConfigTable;
  readonly writer: ConfigWriter;
  readonly config: ConfigBackend;
}

export function configPart(deps: PartDeps): ConfigPart {
  const { configTable: table } = deps;
  const addresses = new VirtualAddresses({ state: deps.state, table: deps.virtualAddresses });
  const writer = new ConfigWriter({ ...deps, table, addresses }, deps);
  const backend = new StateConfigBackend({ ...deps, table, writer });
  return { tables: [table], routes: configRoutes(deps.reads, backend), table, writer, config: backend };
}
