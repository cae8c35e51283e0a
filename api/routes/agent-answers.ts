import { AppError } from '../../core/errors.ts';
import type { RouteResponse } from '../http/route.ts';
import type { AgentServiceInstance } from '../shapes/agent-service.ts';
import { type CheckStatus, DEFAULT_NAMESPACE } from '../shapes/catalog.ts';
import type { AgentCheckState, Member } from './agent-local-backend.ts';

/** Consul's ids of the checks that maintenance mode adds. */
export const NODE_MAINTENANCE = '_node_maintenance';
export const SERVICE_MAINTENANCE = '_service_maintenance:';

/** Consul's empty answer to a write: its JSON media type without a body. */
export const DONE: RouteResponse = { headers: { 'content-type': 'application/json' } };

export function unknownService(id: string): AppError {
  return new AppError(
    'notFound',
    `Unknown service ID ${JSON.stringify(id)}. Ensure that the service ID is passed, not the service name.`,
  );
}

export function unknownCheck(id: string): AppError {
  return new AppError(
    'notFound',
    `Unknown check ID ${JSON.stringify(id)}. Ensure that the check ID is passed, not the check name.`,
  );
}

/** A service as the agent's endpoints show it. */
export function serviceShape(instance: AgentServiceInstance, at: { namespace: string; datacenter: string }): object {
  return { ...instance, Meta: instance.Meta ?? {}, ...inNamespace(at.namespace), Datacenter: at.datacenter };
}

/** What every form of a check begins with. */
function whatAndHow(check: AgentCheckState, node: string, service: AgentServiceInstance | undefined): object {
  return {
    Node: node,
    CheckID: check.checkId,
    Name: check.name,
    Status: check.status,
    Notes: check.notes,
    Output: check.output,
    ServiceID: check.serviceId,
    ServiceName: service?.Service ?? '',
  };
}

/** A check as /v1/agent/checks shows it. */
export function checkShape(check: AgentCheckState, node: string, service: AgentServiceInstance | undefined): object {
  return {
    ...whatAndHow(check, node, service),
    ServiceTags: service?.Tags ?? [],
    Type: check.type,
    Interval: check.interval,
    Timeout: check.timeout,
    ExposedPort: 0,
    Definition: {},
    ...inNamespace(check.namespace),
    CreateIndex: 0,
    ModifyIndex: 0,
  };
}

/** A check as /v1/agent/health/… shows it: Consul gives the form of its client library there, with its zero values. */
export function healthCheckShape(
  check: AgentCheckState,
  node: string,
  service: AgentServiceInstance | undefined,
): object {
  return {
    ...whatAndHow(check, node, service),
    ServiceTags: null,
    Type: '',
    ...inNamespace(check.namespace),
    ExposedPort: 0,
    Definition: ZERO_DEFINITION,
    CreateIndex: 0,
    ModifyIndex: 0,
  };
}

const ZERO_DEFINITION = {
  Interval: '0s',
  Timeout: '0s',
  DeregisterCriticalServiceAfter: '0s',
  HTTP: '',
  Header: null,
  Method: '',
  Body: '',
  TLSServerName: '',
  TLSSkipVerify: false,
  TCP: '',
  TCPUseTLS: false,
  UDP: '',
  GRPC: '',
  OSService: '',
  GRPCUseTLS: false,
};

/** Consul's order of aggregated states: maintenance is worse than critical. */
export type AggregatedStatus = CheckStatus | 'maintenance';

export function aggregated(checks: readonly AgentCheckState[]): AggregatedStatus {
  const order: AggregatedStatus[] = ['passing', 'warning', 'critical', 'maintenance'];
  let worst = 0;
  for (const check of checks) {
    const maintenance = check.checkId === NODE_MAINTENANCE || check.checkId.startsWith(SERVICE_MAINTENANCE);
    worst = Math.max(worst, order.indexOf(maintenance ? 'maintenance' : check.status));
  }
  return order[worst]!;
}

/** HTTP status by aggregated state (Consul: 200, 429, 503). */
export function statusOf(state: AggregatedStatus): number {
  return state === 'passing' ? 200 : state === 'warning' ? 429 : 503;
}

/** A member with the protocol versions that Consul's members show. Without a port it shows 0: clients read no lower number. */
export function memberShape(member: Member): object {
  const versions = { ProtocolMin: 1, ProtocolMax: 5, ProtocolCur: 2, DelegateMin: 2, DelegateMax: 5, DelegateCur: 4 };
  return { ...member, Port: Math.max(0, member.Port), ...versions };
}

function inNamespace(namespace: string): { Namespace?: string } {
  return namespace === DEFAULT_NAMESPACE ? {} : { Namespace: namespace };
}
