import { type CheckPolicy, NO_SCRIPTS } from '../../api/shapes/agent-check.ts';
import type { AgentService } from '../../api/shapes/agent-service.ts';
import { sidecarService } from '../../api/shapes/sidecar.ts';
import { AppError } from '../../core/errors.ts';
import type { LocalService } from '../local-state/local-records.ts';

/** Ports that sidecars without one are given; both ends count. */
export interface SidecarPorts {
  readonly min: number;
  readonly max: number;
}

/**
 * The sidecar of a service with its port: the one it asks for, the one it has, or the lowest free one.
 * @throws AppError `badRequest` when none is free.
 */
export function sidecarOf(
  service: AgentService,
  namespace: string,
  local: { services(): readonly LocalService[] },
  ports: SidecarPorts,
  policy: CheckPolicy = NO_SCRIPTS,
): AgentService | undefined {
  const { sidecar } = service;
  if (!sidecar) return undefined;
  const taken = new Set<number>();
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
