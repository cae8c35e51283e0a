import { type CheckPolicy, NO_SCRIPTS } from '../../api/shapes/agent-check.ts';
import type { AgentService } from '../../api/shapes/agent-service.ts';
import { sidecarService } from '../../api/shapes/sidecar.ts';
import { AppError } from '../../core/errors.ts';
import type { ServiceToRegister } from '../local-state/local-changes.ts';
import type { LocalService } from '../local-state/local-records.ts';
import { toRegister } from './to-register.ts';

/** Ports that sidecars without one are given; both ends count. */
export interface SidecarPorts {
  readonly min: number;
  readonly max: number;
}

/** What a definition of a service is read with. */
export interface ServiceContext {
  readonly namespace: string;
  readonly origin: LocalService['origin'];
  readonly local: { services(): readonly LocalService[] };
  readonly ports: SidecarPorts;
  readonly policy?: CheckPolicy;
}

/** A service as the local state takes it, followed by its sidecar. @throws AppError `badRequest` when no port is free. */
export function withSidecar(service: AgentService, context: ServiceContext): ServiceToRegister[] {
  const { namespace, origin } = context;
  const take = ({ instance, checks }: AgentService, parent: { sidecarOf?: string }): ServiceToRegister => ({
    service: { namespace, instance, origin, ...parent },
    checks: checks.map((check) => toRegister(namespace, check, origin, true)),
  });
  const sidecar = sidecarOf(service, context);
  return [take(service, {}), ...(sidecar ? [take(sidecar, { sidecarOf: service.instance.ID })] : [])];
}

/** The sidecar of a service with its port: the one it asks for, the one it has, or the lowest free one. */
function sidecarOf(service: AgentService, context: ServiceContext): AgentService | undefined {
  const { namespace, local, ports, policy = NO_SCRIPTS } = context;
  const { sidecar } = service;
  if (!sidecar) return undefined;
  const taken = new Set([service.instance.Port]);
  let port = sidecar.input.Port ?? 0;
  for (const { namespace: at, instance } of local.services()) {
    const itself = at === namespace && instance.ID.toLowerCase() === sidecar.input.ID!.toLowerCase();
    if (itself && inRange(instance.Port, ports)) port ||= instance.Port;
    else taken.add(instance.Port);
  }
  for (let one = ports.min; port === 0 && one <= ports.max; one++) if (!taken.has(one)) port = one;
  if (port === 0) {
    throw new AppError(
      'badRequest',
      `Invalid Connect.SidecarService: Port: none is free between ${ports.min} and ${ports.max}; give one, or widen ports.sidecar_min_port and ports.sidecar_max_port`,
      { facts: { field: 'Connect.SidecarService.Port' } },
    );
  }
  return sidecarService(sidecar, port, policy);
}

function inRange(port: number, { min, max }: SidecarPorts): boolean {
  return port >= min && port <= max;
}
