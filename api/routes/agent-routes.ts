import type { Clock } from '../../core/clock.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import type { Route } from '../http/route.ts';
import { agentCheckRoutes } from './agent-check-routes.ts';
import { agentClusterRoutes } from './agent-cluster-routes.ts';
import { agentHealthRoutes } from './agent-health-routes.ts';
import { agentInfoRoutes } from './agent-info-routes.ts';
import type { AgentRouteBackend } from './agent-local-backend.ts';
import { agentServiceRoutes } from './agent-service-routes.ts';

export interface AgentRoutesDeps {
  readonly backend: AgentRouteBackend;
  readonly clock: Clock;
  readonly random: Pick<Random, 'next'>;
  readonly metrics: Metrics;
}

/** All of /v1/agent/… of one agent. */
export function agentRoutes(deps: AgentRoutesDeps): Route[] {
  return [
    ...agentInfoRoutes(deps),
    ...agentClusterRoutes(deps.backend.info),
    ...agentServiceRoutes(deps),
    ...agentCheckRoutes(deps),
    ...agentHealthRoutes(deps),
  ];
}
