import { uiRoutes } from '../../api/routes/ui-routes.ts';
import type { ConfigTable } from '../config-entries/config-table.ts';
import { ChainEntries } from '../discovery-chain/chain-entries.ts';
import type { GatewayServices } from '../gateways/gateway-services.ts';
import type { IntentionPolicy } from '../intentions/evaluate-intention.ts';
import type { IntentionIndex } from '../intentions/intention-index.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { StateMeshUiBackend } from './mesh-ui-backend.ts';
import { OverviewCounts } from './overview-counts.ts';
import { ServiceRows } from './service-rows.ts';
import { Topology } from './topology.ts';
import { StateUiBackend } from './ui-backend.ts';

/** The parts of the mesh that are shown. */
export interface ShownMesh {
  readonly table: ConfigTable;
  readonly gateways: GatewayServices;
  readonly intentions: IntentionIndex;
}

/** What Consul's user interface asks. */
export function uiPart(deps: PartDeps, mesh: ShownMesh, options: { defaultPolicy: IntentionPolicy }): ServerPart {
  const { state, lookups, datacenter } = deps;
  const rows = new ServiceRows({ state, lookups, ...mesh }, { datacenter });
  const topology = new Topology(
    { state, lookups, rows, ...mesh, entries: new ChainEntries(mesh.table) },
    { datacenter, ...options },
  );
  const backend = new StateUiBackend({ state, rows, overview: new OverviewCounts(deps) });
  const meshBackend = new StateMeshUiBackend({ state, rows, topology, ...mesh }, deps);
  return { routes: uiRoutes(deps.reads, backend, meshBackend) };
}
