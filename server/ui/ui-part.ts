import { uiRoutes } from '../../api/routes/ui-routes.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { OverviewCounts } from './overview-counts.ts';
import { ServiceRows } from './service-rows.ts';
import { StateUiBackend } from './ui-backend.ts';

/** What Consul's user interface asks. */
export function uiPart(deps: PartDeps): ServerPart {
  const backend = new StateUiBackend({
    ...deps,
    rows: new ServiceRows(deps, deps),
    overview: new OverviewCounts(deps),
  });
  return { routes: uiRoutes(deps.reads, backend) };
}
