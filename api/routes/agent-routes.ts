import type { Clock } from '../../core/clock.ts';
import type { LogTaps } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import type { RequestTimings } from '../http/request-timings.ts';
import type { Route } from '../http/route.ts';
import { agentCheckRoutes } from './agent-check-routes.ts';
import { agentClusterRoutes } from './agent-cluster-routes.ts';
import { agentHealthRoutes } from './agent-health-routes.ts';
import { agentInfoRoutes } from './agent-info-routes.ts';
import type { AgentRouteBackend } from './agent-local-backend.ts';
import { agentMetricsRoutes } from './agent-metrics-routes.ts';
import { agentMonitorRoute } from './agent-monitor-route.ts';
import { agentServiceRoutes } from './agent-service-routes.ts';

export interface AgentRoutesDeps {
  readonly backend: AgentRouteBackend;
  readonly clock: Clock;
  readonly random: Pick<Random, 'next'>;
  readonly metrics: Metrics;
  /** Of the listener, for GET /v1/agent/metrics. */
  readonly timings?: RequestTimings;
  /** The log, for GET /v1/agent/monitor; without it there is no such route. */
  readonly logs?: LogTaps;
}

/** All of /v1/agent/… of one agent. */
export function agentRoutes(deps: AgentRoutesDeps): Route[] {
  const { logs } = deps;
  return [
    ...agentInfoRoutes(deps),
    ...agentMetricsRoutes(deps, deps.backend.info),
    ...agentClusterRoutes(deps.backend.cluster, deps.backend.info),
    ...(logs ? [agentMonitorRoute({ ...deps, logs })] : []),
    ...agentServiceRoutes(deps),
    ...agentCheckRoutes(deps),
    ...agentHealthRoutes(deps),
  ];
}
