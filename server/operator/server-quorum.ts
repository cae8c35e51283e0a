import type { QuorumBackend } from '../../api/routes/operator-routes.ts';
import { DEFAULT_NAMESPACE, type HealthEntry } from '../../api/shapes/catalog.ts';
import type { RaftServer, ServerHealth } from '../../api/shapes/operator.ts';
import type { Deregistration, WriterIdentity } from '../../api/shapes/registration.ts';
import type { Clock } from '../../core/clock.ts';
import { SERF_HEALTH } from '../catalog/entries.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { Leadership } from '../leadership/leadership.ts';
import { addressOf } from '../leadership/servers.ts';
import { SERVER_SERVICE } from '../server-registration.ts';

export interface ServerQuorumDeps {
  readonly state: CatalogState;
  readonly leadership: Leadership;
  readonly deregister: (target: Deregistration, by: WriterIdentity) => Promise<void>;
  readonly clock: Clock;
}

/** Between looks at whether another one has taken over. */
const LOOK_MS = 100;
/** How long the other one may take. */
const TRANSFER_MS = 5000;

/** The servers of one store, as the catalog lists them; the store's own quorum is etcd's. */
export class ServerQuorum implements QuorumBackend {
  readonly #deps: ServerQuorumDeps;
  readonly #version: string;
  readonly #startedAt: number;

  constructor(deps: ServerQuorumDeps, options: { readonly version: string; readonly startedAt: number }) {
    this.#deps = deps;
    this.#version = options.version;
    this.#startedAt = options.startedAt;
  }

  /** @throws AppError `notSynced`. */
  members(): { index: number; servers: RaftServer[] } {
    const { state } = this.#deps;
    state.assertLoaded();
    const servers = this.#entries().map((entry) => ({
      ID: entry.Node.ID,
      Node: entry.Node.Node,
      Address: addressOf(entry),
      Leader: this.#leads(entry),
      ProtocolVersion: '3',
      Voter: true,
      LastIndex: state.applied,
    }));
    return { index: state.base, servers };
  }

  health(): ServerHealth[] {
    const { state, clock } = this.#deps;
    return this.#entries().map((entry) => {
      const leads = this.#leads(entry);
      const alive = leads || isAlive(entry);
      return {
        ID: entry.Node.ID,
        Name: entry.Node.Node,
        Address: addressOf(entry),
        Version: this.#version,
        Leader: leads,
        Voter: true,
        Healthy: alive,
        LastContactMs: 0,
        LastTerm: 1,
        LastIndex: state.applied,
        stableSince: alive ? this.#startedAt : clock.now(),
      };
    });
  }

  async remove(by: { id: string } | { address: string }): Promise<string | undefined> {
    const [kind, value] = 'id' in by ? ['id', by.id] : ['address', by.address];
    const found = this.#entries().find((entry) => ('id' in by ? entry.Node.ID : addressOf(entry)) === value);
    if (!found) return `${kind} ${JSON.stringify(value)} was not found in the Raft configuration`;
    const { Node } = found.Node;
    if (this.#leads(found)) return `${Node} leads; let another server lead first: lictor operator raft transfer-leader`;
    if (isAlive(found)) return `${Node} is alive and would come back at once; stop it first`;
    const target = { Node, ServiceID: found.Service.ID, Namespace: DEFAULT_NAMESPACE };
    await this.#deps.deregister(target, { owner: '', epoch: 0 });
    return undefined;
  }

  async transferLeadership(id: string | undefined): Promise<string | undefined> {
    const { leadership, clock } = this.#deps;
    const others = this.#entries().filter((entry) => !this.#leads(entry));
    const named = id === undefined ? undefined : this.#entries().find((entry) => entry.Node.ID === id);
    if (id !== undefined && !named) return `id ${JSON.stringify(id)} was not found in the Raft configuration`;
    if (named && this.#leads(named)) return `cannot transfer leadership to itself: ${named.Node.Node} leads already`;
    const to = named ?? others.find(isAlive);
    if (!to || !isAlive(to))
      return `cannot find peer: no other server is alive${to ? ` (${to.Node.Node} is not)` : ''}`;
    await leadership.resign(to.Node.ID);
    const until = clock.monotonic() + TRANSFER_MS;
    while (clock.monotonic() < until) {
      if (leadership.leader()?.id === to.Node.ID) return undefined;
      await leadership.changed(LOOK_MS);
    }
    return `${to.Node.Node} did not take over within ${TRANSFER_MS / 1000} s`;
  }

  #entries(): readonly HealthEntry[] {
    return this.#deps.state.service(DEFAULT_NAMESPACE, SERVER_SERVICE);
  }

  #leads(entry: HealthEntry): boolean {
    return this.#deps.leadership.leader()?.id === entry.Node.ID;
  }
}

/** Whether the agent beside the server reports. */
function isAlive({ Checks }: HealthEntry): boolean {
  return Checks.some(({ CheckID, Status }) => CheckID === SERF_HEALTH && Status === 'passing');
}
