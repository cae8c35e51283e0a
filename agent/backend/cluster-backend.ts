import type { AgentClusterBackend, Member } from '../../api/routes/agent-local-backend.ts';
import { AppError } from '../../core/errors.ts';
import type { ServerCatalog } from '../server-pool/server-catalog.ts';
import type { Departure } from './departure.ts';

export interface ClusterBackendDeps {
  readonly members: (signal: AbortSignal) => Promise<readonly Member[]>;
  readonly catalog: Pick<ServerCatalog, 'deregister'>;
  /** Absent where the process cannot be told to stop. */
  readonly departure?: Pick<Departure, 'leave'> | undefined;
  /** Takes up contact with a server; absent in server mode. */
  readonly join?: ((address: string) => Promise<void>) | undefined;
  /** The agent's own addresses: joining oneself changes nothing. */
  readonly own: () => readonly string[];
}

const FAILED = 4;

/** Comings and goings, as long as there is no gossip: servers are joined, and what has failed is taken from the catalog. */
export class ClusterBackend implements AgentClusterBackend {
  readonly #deps: ClusterBackendDeps;

  constructor(deps: ClusterBackendDeps) {
    this.#deps = deps;
  }

  async join(address: string): Promise<void> {
    const { join, own } = this.#deps;
    if (own().includes(address)) return;
    if (!join)
      throw new AppError('noLeader', `Failed to join ${address}: a server with a store of its own joins no other`);
    await join(address);
  }

  async leave(): Promise<void> {
    const { departure } = this.#deps;
    if (!departure) throw new AppError('noLeader', 'this agent ends with the process that holds it; stop that');
    await departure.leave();
  }

  /** What has failed leaves the catalog with its services and checks; who is alive stays, as in Consul. */
  async forceLeave(node: string, signal: AbortSignal): Promise<boolean> {
    const members = await this.#deps.members(signal);
    const found = members.find(({ Name }) => Name.toLowerCase() === node.toLowerCase());
    if (found?.Status === FAILED) await this.#deps.catalog.deregister({ Node: found.Name }, { owner: '', epoch: 0 });
    return found !== undefined;
  }
}
