import type { QuorumBackend } from '../../api/routes/operator-routes.ts';
import type { RaftServer, ServerHealth } from '../../api/shapes/operator.ts';
import type { CatalogState } from '../catalog/state.ts';

export interface SingleServerIdentity {
  readonly nodeId: string;
  readonly nodeName: string;
  /** Of the servers' own port. */
  readonly address: string;
  /** The Consul version that it speaks. */
  readonly version: string;
  /** Unix milliseconds. */
  readonly startedAt: number;
}

/** A server whose store is its own: a quorum of one, which nobody can leave or take over. */
export class SingleServer implements QuorumBackend {
  readonly #state: CatalogState;
  readonly #identity: SingleServerIdentity;

  constructor(deps: { state: CatalogState }, identity: SingleServerIdentity) {
    this.#state = deps.state;
    this.#identity = identity;
  }

  /** @throws AppError `notSynced`. */
  members(): { index: number; servers: RaftServer[] } {
    this.#state.assertLoaded();
    const { nodeId, nodeName, address } = this.#identity;
    return {
      index: this.#state.base,
      servers: [
        {
          ID: nodeId,
          Node: nodeName,
          Address: address,
          Leader: true,
          ProtocolVersion: '3',
          Voter: true,
          LastIndex: this.#state.applied,
        },
      ],
    };
  }

  health(): ServerHealth[] {
    const { nodeId, nodeName, address, version, startedAt } = this.#identity;
    const healthy = this.#state.loaded;
    return [
      {
        ID: nodeId,
        Name: nodeName,
        Address: address,
        Version: version,
        Leader: healthy,
        Voter: true,
        Healthy: healthy,
        LastContactMs: 0,
        LastTerm: 1,
        LastIndex: this.#state.applied,
        stableSince: startedAt,
      },
    ];
  }

  remove(by: { id: string } | { address: string }): Promise<string> {
    const { nodeId, address } = this.#identity;
    const [kind, value, own] = 'id' in by ? ['id', by.id, nodeId] : ['address', by.address, address];
    return Promise.resolve(
      value === own
        ? 'this is the only server: without it there is no quorum; stop it instead of removing it'
        : `${kind} ${JSON.stringify(value)} was not found in the Raft configuration`,
    );
  }

  transferLeadership(id: string | undefined): Promise<string> {
    return Promise.resolve(
      id === undefined || id === this.#identity.nodeId
        ? 'cannot find peer: this is the only server, there is none to lead instead'
        : `id ${JSON.stringify(id)} was not found in the Raft configuration`,
    );
  }
}
