import { operatorRoutes } from '../../api/routes/operator-routes.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { AutopilotSettings, AutopilotTable } from './autopilot-table.ts';
import { SingleServer } from './single-server.ts';
import { UsageCounts } from './usage-counts.ts';

/** What operators ask and set: the quorum, how it is looked after, and what is in use. */
export function operatorPart(deps: PartDeps): ServerPart {
  const table = new AutopilotTable();
  const counts = new UsageCounts(deps);
  const quorum = new SingleServer(deps, { ...deps.server, nodeName: deps.nodeName, startedAt: deps.clock.now() });
  const autopilot = new AutopilotSettings({ ...deps, table });
  return {
    tables: [table],
    routes: operatorRoutes(deps.reads, { quorum, autopilot, usage: () => counts.read() }),
  };
}
