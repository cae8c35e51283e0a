import { blockingQuery } from '../../api/blocking-query.ts';
import type { Member } from '../../api/routes/agent-local-backend.ts';
import type { AgentBackend, CatalogWrites, OwnerBackend } from '../../api/routes/catalog-backend.ts';
import type { AddressOwner, DnsLookups, QueryResult } from '../../api/routes/dns-lookup-routes.ts';
import type { AgentEntries, AssignedCheck, NodeHealth, VerdictReport } from '../../api/shapes/agent-sync.ts';
import { DEFAULT_NAMESPACE, type HealthEntry, type Node } from '../../api/shapes/catalog.ts';
import type { OwnedEvent, OwnerState } from '../../api/shapes/owned.ts';
import type { Deregistration, Registration, WriterIdentity } from '../../api/shapes/registration.ts';
import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import type { CatalogState } from '../catalog/state.ts';

/** Writes in the form of the two clients below: only an owner replaces its checks with each registration. */
class InProcessWrites {
  readonly #writes: CatalogWrites;
  readonly #replaceExistingChecks: boolean;

  constructor(writes: CatalogWrites, replaceExistingChecks: boolean) {
    this.#writes = writes;
    this.#replaceExistingChecks = replaceExistingChecks;
  }

  /** The catalog keeps what it is given; the caller goes on with its own. */
  register(registration: Registration, writer: WriterIdentity): Promise<void> {
    return this.#writes.register(structuredClone(registration), writer, {
      replaceExistingChecks: this.#replaceExistingChecks,
    });
  }

  deregister(target: Deregistration, writer: WriterIdentity): Promise<void> {
    return this.#writes.deregister(target, writer);
  }
}

/** The servers as an agent of the same process sees them. */
export class InProcessServerCatalog extends InProcessWrites {
  readonly #agents: AgentBackend;
  readonly #waits: { clock: Clock; random: Random };

  constructor(deps: { writes: CatalogWrites; agents: AgentBackend; clock: Clock; random: Random }) {
    super(deps.writes, false);
    this.#agents = deps.agents;
    this.#waits = deps;
  }

  async entries(node: string, _signal: AbortSignal): Promise<AgentEntries> {
    return this.#agents.entries(node);
  }

  async definitions(
    node: string,
    options: { index: number; waitMs: number },
    signal: AbortSignal,
  ): Promise<{ index: number; checks: AssignedCheck[] }> {
    const live = this.#agents.definitions(node);
    const { value, index } = await blockingQuery(this.#waits, options, () => live.run(), live.watch, signal);
    return { index, checks: [...value] };
  }

  async health(
    node: string,
    options: { index: number; waitMs: number },
    signal: AbortSignal,
  ): Promise<{ index: number; health: NodeHealth }> {
    const live = this.#agents.health(node);
    const { value, index } = await blockingQuery(this.#waits, options, () => live.run(), live.watch, signal);
    return { index, health: value };
  }

  report(node: string, report: VerdictReport): Promise<void> {
    return this.#agents.report(node, report);
  }

  async members(_signal: AbortSignal): Promise<readonly Member[]> {
    return this.#agents.members();
  }
}

/** The servers as an operator of the same process sees them. */
export class InProcessCatalogClient extends InProcessWrites {
  readonly #owners: OwnerBackend;

  constructor(deps: { writes: CatalogWrites; owners: OwnerBackend }) {
    super(deps.writes, true);
    this.#owners = deps.owners;
  }

  followOwned(owner: string, signal: AbortSignal): AsyncIterable<OwnedEvent> {
    return this.#owners.followOwned(owner, signal);
  }

  async ownerState(owner: string): Promise<OwnerState> {
    return this.#owners.ownerState(owner);
  }

  claimEpoch(state: OwnerState): Promise<void> {
    return this.#owners.claimEpoch(state);
  }
}

/** The catalog as DNS reads it: straight from the state. */
export class StateCatalogReader {
  readonly #state: CatalogState;
  readonly #lookups: DnsLookups;
  readonly #options: { serverService: string; nodeName: string };

  constructor(
    deps: { state: CatalogState; lookups: DnsLookups },
    options: { serverService: string; nodeName: string },
  ) {
    this.#state = deps.state;
    this.#lookups = deps.lookups;
    this.#options = options;
  }

  synced(): boolean {
    return this.#state.loaded;
  }

  async service(namespace: string, name: string): Promise<{ found: boolean; entries: readonly HealthEntry[] }> {
    this.#state.assertLoaded();
    const entries = this.#state.service(namespace.toLowerCase(), name);
    return { found: entries.length > 0, entries };
  }

  async node(name: string): Promise<Node | undefined> {
    this.#state.assertLoaded();
    return this.#state.node(name)?.shape;
  }

  async servers(): Promise<readonly Node[]> {
    this.#state.assertLoaded();
    return this.#state.service(DEFAULT_NAMESPACE, this.#options.serverService).map((entry) => entry.Node);
  }

  query(idOrName: string, source: string): Promise<QueryResult | undefined> {
    return this.#lookups.query(idOrName, source, this.#options.nodeName);
  }

  mesh(kind: 'connect' | 'ingress', namespace: string, service: string): Promise<readonly HealthEntry[]> {
    return this.#lookups.mesh(kind, namespace, service);
  }

  virtual(namespace: string, service: string): Promise<{ readonly found: boolean; readonly address?: string }> {
    return this.#lookups.virtual(namespace, service);
  }

  reverse(address: string): Promise<AddressOwner | undefined> {
    return this.#lookups.reverse(address);
  }
}
