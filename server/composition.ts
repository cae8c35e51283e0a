import 'reflect-metadata';
import { type DependencyContainer, type InjectionToken, instanceCachingFactory, container as root } from 'tsyringe';
import type { ClientTls } from '../api/http/client-tls.ts';
import type { Route } from '../api/http/route.ts';
import type { Upgrade } from '../api/http/upgrades.ts';
import { aclDisabledRoutes } from '../api/routes/acl-routes.ts';
import { agentSyncRoutes } from '../api/routes/agent-sync-routes.ts';
import { CachedReads } from '../api/routes/cached-reads.ts';
import { catalogReadRoutes } from '../api/routes/catalog-reads.ts';
import { catalogWriteRoutes } from '../api/routes/catalog-writes.ts';
import { healthReadRoutes } from '../api/routes/health-reads.ts';
import type { OperatorBackend } from '../api/routes/operator-routes.ts';
import { ownerRoutes } from '../api/routes/owner-routes.ts';
import type { ReadRouteDeps } from '../api/routes/read-route.ts';
import { RenderCache } from '../api/routes/render-cache.ts';
import { statusRoutes } from '../api/routes/status-routes.ts';
import type { ConfigEntry } from '../api/shapes/config-entry/entry.ts';
import { WAN_PORT } from '../api/shapes/member-ports.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { hostPort } from '../core/host-port.ts';
import { RunGroup, type Runnable } from '../core/lifecycle.ts';
import type { Logger } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Random } from '../core/random.ts';
import type { Store } from '../store/store.ts';
import { StateAgentBackend } from './backend/agent-backend.ts';
import { StateCatalogReads } from './backend/catalog-reads.ts';
import { InProcessCatalogClient, InProcessServerCatalog, StateCatalogReader } from './backend/in-process.ts';
import { InProcessAuthority } from './backend/in-process-authority.ts';
import { InProcessIntentions } from './backend/in-process-intentions.ts';
import { StateOwnerBackend } from './backend/owner-backend.ts';
import { CatalogFollower } from './catalog/follower.ts';
import { CatalogLookups } from './catalog/lookups.ts';
import { OwnedHub } from './catalog/owned-hub.ts';
import { RevisionGate } from './catalog/revision-gate.ts';
import { CatalogState } from './catalog/state.ts';
import { StateWriter } from './catalog/state-writer.ts';
import { Topics } from './catalog/topics.ts';
import { CatalogWriter } from './catalog/writer.ts';
import { StateCentralConfig } from './central-config/central-config.ts';
import { ConfigTable } from './config-entries/config-table.ts';
import { CoordinateTable } from './coordinates/coordinate-table.ts';
import type { WhyNoInstance } from './explain/service-explainer.ts';
import { KV_LIMITS, type KvLimits } from './kv/kv-part.ts';
import { composeLeadership, readAuthority } from './leadership/compose-leadership.ts';
import { mayPack, RecordFormat, SERVER_META } from './leadership/record-format.ts';
import { registerBy, serverAddresses } from './leadership/servers.ts';
import { AgentLiveness } from './liveness/agent-liveness.ts';
import { type ServerPart, serverParts } from './parts.ts';
import { SERVER_SERVICE, ServerRegistration, WAN_PORT_META } from './server-registration.ts';
import { STREAM_HUB_DEFAULTS, type StreamHubOptions } from './stream/stream-hub.ts';
import * as tokens from './tokens.ts';
import { VirtualAddressTable } from './virtual-addresses/virtual-address-table.ts';
import { VirtualAddresses } from './virtual-addresses/virtual-addresses.ts';

export interface ServerConfig {
  readonly datacenter: string;
  /** Of DNS; `consul` when not given. */
  readonly domain?: string;
  readonly nodeName: string;
  /** The address at which others reach this node. */
  readonly nodeAddress: string;
  readonly nodeId: string;
  /** Opened, and closed after the runnable has ended, by the caller. */
  readonly store: Store;
  /** Whether other servers share the store, so that one of them has to be elected; as the store's traits say when absent. */
  readonly elected?: boolean;
  /** An existing folder for archives that are being restored. */
  readonly spoolDir: string;
  /** Whether no other process uses that folder: what killed restores have left there is removed then. */
  readonly ownsSpoolDir?: boolean;
  /** The Consul version whose API this server speaks, shown to operators. */
  readonly consulVersion: string;
  /** The servers' own port, shown by status/leader; 8300 when not given. */
  readonly serverPort?: number;
  /** The port for other datacenters, 0 = it has none; Consul's when not given. */
  readonly wanPort?: number;
  /** What other servers are spoken to with; in the clear when absent. */
  readonly serverTls?: (() => ClientTls) | undefined;
  /** Consul's defaults when not given. */
  readonly kvLimits?: KvLimits;
  /** Whether nodes have coordinates; true when not given. */
  readonly coordinates?: boolean;
  /** Whether there is a certificate authority; true when not given. */
  readonly connect?: boolean;
  /** What a new authority begins with (Consul's connect.ca_config). */
  readonly caConfig?: Readonly<Record<string, unknown>>;
  /** The certificate authority is made when it is first asked for, not at the start; false when absent. */
  readonly caOnDemand?: boolean;
  /** Configuration entries that are written where there are none. */
  readonly bootstrapEntries?: readonly ConfigEntry[];
  /** When no intention fits; `allow` when not given. */
  readonly defaultIntentionPolicy?: 'allow' | 'deny';
  /** Blocking queries that may wait at a time; 100,000 when not given. */
  readonly maxWatchers?: number;
  /** Deleted services and nodes whose versions are remembered; 10,000 when not given. */
  readonly maxRemembered?: number;
  /** STREAM_HUB_DEFAULTS where not given. */
  readonly streamLimits?: Partial<StreamHubOptions>;
}

export interface ServerDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly random: Random;
  /** Of who declares services in this process; nothing is known when absent. */
  readonly whyNoInstance?: WhyNoInstance;
}

/** A server: what keeps it going, what it serves, and what parts of the same process use instead of HTTP. */
export interface ComposedServer {
  /** Loads the catalog and follows the store; ready when the catalog is loaded. */
  readonly runnable: Runnable;
  readonly routes: Route[];
  /** What other servers speak on the servers' own port beside them. */
  readonly upgrades: Upgrade[];
  /** For the agent of this process. */
  readonly serverCatalog: InProcessServerCatalog;
  /** For an operator of this process. */
  readonly catalogClient: InProcessCatalogClient;
  readonly intentionClient: InProcessIntentions;
  /** What operators see of the quorum. */
  quorum(): { leaderAddress: string; isLeader: boolean; peers: number; appliedIndex: number };
  /** What operators ask and set, for who looks after the servers in this process. */
  readonly operator: OperatorBackend;
  /** For DNS. */
  readonly catalogReader: StateCatalogReader;
  /** The certificate authority, for the agent of this process. */
  readonly authority: InProcessAuthority;
}

/** Wires a server. Nothing runs before the runnable does. */
export function composeServer(config: ServerConfig, deps: ServerDeps): ComposedServer {
  const container = root.createChildContainer();
  const register = <T>(token: InjectionToken<T>, make: (c: DependencyContainer) => T) =>
    container.register(token, { useFactory: instanceCachingFactory(make) });
  registerCatalog(register, config, deps);
  registerBackends(register, config);

  const reads = container.resolve(tokens.READS);
  const writes = container.resolve(tokens.WRITES);
  const agents = container.resolve(tokens.AGENTS);
  const owners = container.resolve(tokens.OWNERS);
  const status = container.resolve(tokens.STATUS);
  const { clock, random } = deps;
  const standing = container.resolve(tokens.LEADERSHIP);
  const coordinates = new CoordinateTable();
  const virtualAddresses = container.resolve(tokens.VIRTUAL_ADDRESSES);
  const configTable = new ConfigTable();
  const readDeps: ReadRouteDeps = {
    clock,
    random,
    cache: new RenderCache(),
    datacenter: config.datacenter,
    distances: coordinates,
    cached: new CachedReads({ clock }),
    central: new StateCentralConfig({ state: container.resolve(tokens.STATE), table: configTable }),
    nodeName: config.nodeName,
    authority: readAuthority(standing.leadership),
  };
  const parts = serverParts({
    ...deps,
    store: config.store,
    leadership: standing.leadership,
    elected: isElected(config),
    state: container.resolve(tokens.STATE),
    writer: container.resolve(tokens.STATE_WRITER),
    catalogWriter: container.resolve(tokens.WRITER),
    reads: readDeps,
    coordinates,
    virtualAddresses,
    configTable,
    bootstrapEntries: config.bootstrapEntries ?? [],
    lookups: container.resolve(tokens.LOOKUPS),
    coordinatesEnabled: config.coordinates ?? true,
    connect: {
      enabled: config.connect ?? true,
      onDemand: config.caOnDemand ?? false,
      initialConfig: config.caConfig ?? {},
      defaultIntentionPolicy: config.defaultIntentionPolicy ?? 'allow',
    },
    kvLimits: config.kvLimits ?? KV_LIMITS,
    streamLimits: { ...STREAM_HUB_DEFAULTS, ...config.streamLimits },
    datacenter: config.datacenter,
    domain: (config.domain ?? 'consul').replace(/^\.+|\.+$/g, ''),
    nodeName: config.nodeName,
    spoolDir: config.spoolDir,
    ownsSpoolDir: config.ownsSpoolDir ?? false,
    server: { nodeId: config.nodeId, address: serverAddress(config), version: config.consulVersion },
  });
  for (const { tables = [] } of parts) for (const table of tables) container.resolve(tokens.STATE).addTable(table);
  container.resolve(tokens.WRITER).endBound(onlyOf(parts, 'boundEnds'));
  const routes = standing.routes([
    ...catalogReadRoutes(readDeps, reads),
    ...healthReadRoutes(readDeps, reads),
    ...catalogWriteRoutes(writes, { datacenter: config.datacenter }),
    ...ownerRoutes(owners),
    ...agentSyncRoutes({ clock, random }, agents),
    ...statusRoutes(status),
    ...aclDisabledRoutes(),
    ...parts.flatMap((part) => part.routes ?? []),
  ]);
  const registration = new ServerRegistration(
    { ...deps, register: (entry, by) => registerBy(routes, entry, by), state: container.resolve(tokens.STATE) },
    { ...config, serverPort: config.serverPort ?? 8300, meta: serverMeta(config) },
  );
  return {
    runnable: new RunGroup(deps, {
      name: 'server',
      members: [
        container.resolve(tokens.FOLLOWER),
        ...standing.runnables,
        standing.leading(container.resolve(tokens.LIVENESS)),
        registration,
        container.resolve(tokens.RECORD_FORMAT),
        ...parts.flatMap((part) => part.standing ?? []),
        ...parts.flatMap((part) => part.runnables ?? []).map((part) => standing.leading(part)),
      ],
    }),
    routes,
    upgrades: standing.upgrades(routes),
    serverCatalog: new InProcessServerCatalog({ writes, agents, clock, random }),
    authority: new InProcessAuthority({ clock, random, ca: onlyOf(parts, 'ca') }),
    catalogClient: new InProcessCatalogClient({ writes, owners }),
    intentionClient: new InProcessIntentions({ config: onlyOf(parts, 'config'), clock, random }),
    quorum: () => {
      const leaderAddress = status.leader();
      const { applied } = container.resolve(tokens.STATE);
      return {
        leaderAddress,
        isLeader: standing.leadership.leads(),
        peers: status.peers().length,
        appliedIndex: applied,
      };
    },
    operator: onlyOf(parts, 'operator'),
    catalogReader: new StateCatalogReader(
      { state: container.resolve(tokens.STATE), lookups: onlyOf(parts, 'dnsLookups') },
      { serverService: SERVER_SERVICE, nodeName: config.nodeName },
    ),
  };
}

/** What exactly one part of a server gives. */
function onlyOf<K extends keyof ServerPart>(parts: readonly ServerPart[], key: K): NonNullable<ServerPart[K]> {
  const found = parts.find((part) => part[key] !== undefined)?.[key];
  if (!found) throw new AppError('internal', `no part of the server gives ${key}`);
  return found;
}

type Register = <T>(token: InjectionToken<T>, make: (c: DependencyContainer) => T) => void;

function registerCatalog(register: Register, config: ServerConfig, deps: ServerDeps): void {
  const { store } = config;
  register(tokens.VIRTUAL_ADDRESSES, () => new VirtualAddressTable());
  register(tokens.GATE, () => new RevisionGate());
  register(
    tokens.STATE,
    () =>
      new CatalogState(
        {
          topics: new Topics(deps, {
            maxWatchers: config.maxWatchers ?? 100_000,
            maxRemembered: config.maxRemembered ?? 10_000,
          }),
        },
        { datacenter: config.datacenter, packs: mayPack(store) },
      ),
  );
  register(
    tokens.FOLLOWER,
    (c) => new CatalogFollower({ ...deps, store, state: c.resolve(tokens.STATE), gate: c.resolve(tokens.GATE) }),
  );
  register(tokens.LEADERSHIP, (c) =>
    composeLeadership(
      { ...deps, store, state: c.resolve(tokens.STATE), gate: c.resolve(tokens.GATE) },
      { id: config.nodeId, name: config.nodeName, address: serverAddress(config) },
      { elected: isElected(config), tls: config.serverTls },
    ),
  );
  register(
    tokens.STATE_WRITER,
    (c) =>
      new StateWriter(
        {
          ...deps,
          store,
          state: c.resolve(tokens.STATE),
          gate: c.resolve(tokens.GATE),
          leadership: c.resolve(tokens.LEADERSHIP).leadership,
        },
        { maxPending: 10_000 },
      ),
  );
  register(
    tokens.WRITER,
    (c) =>
      new CatalogWriter({
        state: c.resolve(tokens.STATE),
        writer: c.resolve(tokens.STATE_WRITER),
        clock: deps.clock,
        mesh: new VirtualAddresses({ state: c.resolve(tokens.STATE), table: c.resolve(tokens.VIRTUAL_ADDRESSES) }),
      }),
  );
  register(
    tokens.RECORD_FORMAT,
    (c) =>
      new RecordFormat({
        ...deps,
        store,
        state: c.resolve(tokens.STATE),
        leadership: c.resolve(tokens.LEADERSHIP).leadership,
      }),
  );
  register(tokens.OWNED_HUB, (c) => new OwnedHub({ state: c.resolve(tokens.STATE), clock: deps.clock }));
  register(tokens.LIVENESS, (c) => {
    const writer = c.resolve(tokens.WRITER);
    return new AgentLiveness({
      ...deps,
      nodes: c.resolve(tokens.STATE),
      write: (node, agent) => writer.writeAgentHealth(node, agent),
    });
  });
}

function registerBackends(register: Register, config: ServerConfig): void {
  register(tokens.LOOKUPS, (c) => new CatalogLookups({ state: c.resolve(tokens.STATE) }));
  register(
    tokens.READS,
    (c) => new StateCatalogReads({ state: c.resolve(tokens.STATE), lookups: c.resolve(tokens.LOOKUPS) }),
  );
  register(tokens.WRITES, (c) => c.resolve(tokens.WRITER));
  register(
    tokens.AGENTS,
    (c) =>
      new StateAgentBackend(
        {
          state: c.resolve(tokens.STATE),
          writer: c.resolve(tokens.WRITER),
          liveness: c.resolve(tokens.LIVENESS),
        },
        config,
      ),
  );
  register(
    tokens.OWNERS,
    (c) =>
      new StateOwnerBackend({
        state: c.resolve(tokens.STATE),
        writer: c.resolve(tokens.WRITER),
        hub: c.resolve(tokens.OWNED_HUB),
      }),
  );
  register(tokens.STATUS, (c) => {
    const state = c.resolve(tokens.STATE);
    const address = serverAddress(config);
    return {
      datacenter: config.datacenter,
      leader: () => c.resolve(tokens.LEADERSHIP).leadership.leader()?.address ?? '',
      peers: () => serverAddresses(state, address),
    };
  });
}

/** Whether one of several servers has to be elected. */
function isElected({ elected, store }: ServerConfig): boolean {
  return elected ?? store.traits.replicated;
}

/** What a server tells the others of itself. */
function serverMeta({ wanPort = WAN_PORT }: ServerConfig): Record<string, string> {
  return { ...SERVER_META, [WAN_PORT_META]: String(wanPort) };
}

/** Where other servers reach this one. */
function serverAddress(config: ServerConfig): string {
  return hostPort(config.nodeAddress, config.serverPort ?? 8300);
}
