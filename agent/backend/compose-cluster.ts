import type { Member } from '../../api/routes/agent-local-backend.ts';
import type { Clock } from '../../core/clock.ts';
import { hostPort } from '../../core/host-port.ts';
import type { Logger } from '../../core/log.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { ServerCatalog } from '../server-pool/server-catalog.ts';
import { ClusterBackend } from './cluster-backend.ts';
import { Departure } from './departure.ts';

export interface ClusterDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly servers: Pick<ServerCatalog, 'deregister'>;
  readonly identity: { readonly address: string };
  /** Takes up contact with a server, in client mode. */
  readonly join?: (address: string) => Promise<void>;
  /** Makes the process stop, for PUT /v1/agent/leave. */
  readonly stop?: () => void;
  /** Asked before, when the agent is told to leave. @throws AppError when it must not. */
  readonly mayLeave?: () => Promise<void>;
  /** Whether the agent leaves when it stops without being told to leave; never when absent. */
  readonly leavesOnStop?: () => boolean;
}

/** Comings and goings of an agent; no departure where its process cannot be told to stop. */
export function composeCluster(
  config: AgentConfig,
  deps: ClusterDeps,
  members: (signal: AbortSignal) => Promise<readonly Member[]>,
): { backend: ClusterBackend; departure: Departure | undefined } {
  const { servers: catalog, identity, join, stop, leavesOnStop = () => false } = deps;
  const { nodeName, mode } = config;
  const departure =
    stop && new Departure({ ...deps, catalog, stop }, { nodeName, deregisters: mode === 'client', leavesOnStop });
  const own = () => ownAddresses(config, identity.address);
  return { departure, backend: new ClusterBackend({ members, catalog, departure, join, own }) };
}

function ownAddresses({ ports }: AgentConfig, address: string): string[] {
  return [address, hostPort(address, ports.serfLan), hostPort(address, ports.server)];
}
