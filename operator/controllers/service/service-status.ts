import { aggregateStatus, type CheckStatus } from '../../../api/shapes/catalog.ts';
import type { Condition, Service, ServiceStatus, ServiceStatusEndpoint } from '../../../crds/types/index.ts';
import type { MirrorEntry } from '../../catalog-mirror/catalog-mirror.ts';
import { catalogName } from '../../indexes/cluster-view.ts';
import { type ConditionWishes, conditions } from '../../status/conditions.ts';

/** Endpoints listed in a status; the rest is counted. */
export const MAX_LISTED = 50;

const ORDER: Readonly<Record<CheckStatus, number>> = { critical: 0, warning: 1, passing: 2 };

/** The status of a Service from what the catalog holds of it. Everything is always set, so that a patch replaces all. */
export function serviceStatus(
  service: Service,
  entries: readonly MirrorEntry[],
  wishes: ConditionWishes,
  now: string,
): Required<ServiceStatus> & { conditions: Condition[] } {
  const endpoints = entries.map(endpointOf).sort(unhealthyFirst);
  const generation = service.metadata.generation ?? 0;
  return {
    serviceName: catalogName(service),
    healthy: endpoints.filter(({ status }) => status !== 'critical').length,
    total: endpoints.length,
    endpoints: endpoints.slice(0, MAX_LISTED),
    omitted: Math.max(0, endpoints.length - MAX_LISTED),
    observedGeneration: generation,
    conditions: conditions(service.status?.conditions, wishes, { generation, now }),
  };
}

function endpointOf({ address, port, node, checks }: MirrorEntry): ServiceStatusEndpoint {
  return { address, port, node, status: aggregateStatus(checks.map(({ status }) => ({ Status: status }))) };
}

function unhealthyFirst(a: ServiceStatusEndpoint, b: ServiceStatusEndpoint): number {
  if (a.status !== b.status) return ORDER[a.status] - ORDER[b.status];
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  return a.port - b.port || (a.node < b.node ? -1 : a.node > b.node ? 1 : 0);
}
