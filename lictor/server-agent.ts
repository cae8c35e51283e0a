import { tmpdir } from 'node:os';
import { type ComposedAgent, composeAgent } from '../agent/composition.ts';
import { systemConfigFiles } from '../agent/config/system-files.ts';
import type { AgentConfig, ConfigReloads } from '../agent/config.ts';
import type { MeshAuthority } from '../agent/connect/mesh-authority.ts';
import { agentHttpListeners } from '../agent/http-listeners.ts';
import type { ServerCatalog } from '../agent/server-pool/server-catalog.ts';
import type { RpcTls } from '../agent/tls/rpc-tls.ts';
import { DEFAULT_POLICY } from '../api/http/http-policy.ts';
import { RequestTimings } from '../api/http/request-timings.ts';
import type { Route } from '../api/http/route.ts';
import { createHttpServer } from '../api/http/server.ts';
import type { Member } from '../api/routes/agent-local-backend.ts';
import type { Clock } from '../core/clock.ts';
import { RunGroup, type Runnable } from '../core/lifecycle.ts';
import type { Logger, LogTaps } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Random } from '../core/random.ts';
import { createDns } from '../dns/dns-server.ts';
import { type ComposedServer, composeServer } from '../server/composition.ts';
import type { WhyNoInstance } from '../server/explain/service-explainer.ts';
import type { Store } from '../store/store.ts';
import { dnsOptions } from './dns-options.ts';
import { CONSUL_COMPATIBLE_VERSION, lictorVersion } from './version.ts';

export interface ServerAgentDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly logs?: LogTaps;
  readonly metrics: Metrics;
  readonly random: Random;
  /** The environment's DOCKER_HOST, for docker checks. */
  readonly dockerHost?: string;
  /** Closed by the caller after the runnable has ended. */
  readonly store: Store;
  /** Makes the process stop, for PUT /v1/agent/leave. */
  readonly stop?: () => void;
  /** Asked before, when the server is told to leave. @throws AppError when it must not. */
  readonly mayLeave?: () => Promise<void>;
  /** Changes the running agent with its files; without it the configuration stays as it was given. */
  readonly reloads?: ConfigReloads;
  /** The certificate authority is made when it is first asked for; false when absent. */
  readonly caOnDemand?: boolean;
  /** The servers as the agent of this process sees them; the server of this process when absent. */
  readonly servers?: OwnServers;
  /** TLS of the servers' own port; it is served in the clear when absent. */
  readonly rpcTls?: RpcTls;
  /** What servers that want to join ask on the servers' own port. */
  readonly joinRoutes?: readonly Route[];
  /** Why a service that is declared in this process has no instance. */
  readonly whyNoInstance?: WhyNoInstance;
}

/** What the agent of a server's process asks the servers. */
export interface OwnServers {
  readonly catalog: ServerCatalog & { members(signal: AbortSignal): Promise<readonly Member[]> };
  readonly authority: MeshAuthority;
  /** To be started before the agent. */
  readonly members: readonly Runnable[];
}

/** A server-mode agent: both roles in one process, and its listeners. */
export interface ServerAgent {
  readonly runnable: Runnable;
  readonly server: ComposedServer;
  readonly agent: ComposedAgent;
  /** Where a listener is; undefined when its port is off. @throws AppError `unavailable` before it listens. */
  address(listener: 'http' | 'https' | 'dns' | 'server'): { host: string; port: number } | undefined;
}

/** Where a node is: its id, and the address under which others reach it. */
export interface NodePlace {
  readonly nodeId: string;
  readonly address: string;
}

/** Puts a server and the agent of its node together; they meet through the interfaces that HTTP would serve. */
export function composeServerAgent(config: AgentConfig, place: NodePlace, deps: ServerAgentDeps): ServerAgent {
  const server = composeServer(
    {
      datacenter: config.datacenter,
      domain: config.dns.domain,
      nodeName: config.nodeName,
      nodeAddress: place.address,
      nodeId: place.nodeId,
      consulVersion: CONSUL_COMPATIBLE_VERSION,
      store: deps.store,
      spoolDir: config.dataDir === '' ? tmpdir() : config.dataDir,
      ownsSpoolDir: config.dataDir !== '',
      // 0 in the catalog says: no port, nobody joins here.
      coordinates: !config.disableCoordinates,
      connect: config.connect.enabled,
      caOnDemand: deps.caOnDemand ?? false,
      caConfig: config.connect.caConfig,
      defaultIntentionPolicy: config.defaultIntentionPolicy,
      kvLimits: config.kv,
      bootstrapEntries: config.bootstrapEntries,
      serverPort: Math.max(0, config.ports.server),
      wanPort: Math.max(0, config.ports.serfWan),
      serverTls: deps.rpcTls?.outgoing,
    },
    { ...deps, log: deps.log.child({ part: 'server' }) },
  );
  const timings = new RequestTimings(deps);
  const servers = deps.servers ?? inProcess(server);
  const agent = composeAgent(config, {
    ...deps,
    timings,
    log: deps.log.child({ part: 'agent' }),
    servers: servers.catalog,
    authority: servers.authority,
    quorum: () => server.quorum(),
    others: (signal) => servers.catalog.members(signal),
    ...reloadOf(deps),
    identity: { ...place, version: lictorVersion(), consulVersion: CONSUL_COMPATIBLE_VERSION },
  });
  const listeners = createListeners(config, { ...deps, timings }, { server, agent });
  deps.reloads?.add((next) => () => agent.reconfigure(next));
  return {
    server,
    agent,
    runnable: new RunGroup(deps, {
      name: 'server agent',
      // Listeners open before the catalog is loaded: reads say so (no leader, SERVFAIL) rather than refuse connections.
      members: [...servers.members, agent.localState, ...listeners.members, server.runnable, agent.work],
    }),
    address: (name) => listeners.byName[name]?.address(),
  };
}

function inProcess(server: ComposedServer): OwnServers {
  return { catalog: server.serverCatalog, authority: server.authority, members: [] };
}

function reloadOf({ reloads }: ServerAgentDeps): { reload?: () => Promise<void> } {
  return reloads ? { reload: () => reloads.reload() } : {};
}

type Listener = Runnable & { address(): { host: string; port: number } };

function createListeners(
  config: AgentConfig,
  deps: ServerAgentDeps & { readonly timings: RequestTimings },
  roles: { server: ComposedServer; agent: ComposedAgent },
): { byName: Record<'http' | 'https' | 'dns' | 'server', Listener | undefined>; members: Runnable[] } {
  const dns =
    config.ports.dns < 0 ? undefined : createDns({ ...deps, reader: roles.server.catalogReader }, dnsOptions(config));
  if (dns) deps.reloads?.add((next) => dns.prepare(dnsOptions(next)));
  const routes = [...roles.agent.routes, ...roles.server.routes];
  const { http, https, members } = agentHttpListeners(config, { ...deps, files: systemConfigFiles }, routes);
  // Agents in client mode speak to the servers here, and all of a machine's agents share its address.
  // Agents hand on how long they wait; what else is set for clients is not meant for them.
  const { defaultQueryMs, maxQueryMs } = config.http;
  const waits = { ...DEFAULT_POLICY, defaultQueryMs, maxQueryMs };
  const server =
    config.ports.server < 0
      ? undefined
      : createHttpServer(
          { ...deps, timings: undefined },
          {
            routes: [...roles.server.routes, ...(deps.joinRoutes ?? [])],
            upgrades: roles.server.upgrades,
            host: config.bindAddress,
            port: config.ports.server,
            name: 'server',
            portFlag: '-server-port',
            maxConnectionsPerClient: 10_000,
            headersTimeoutMs: config.rpcHandshakeTimeoutMs,
            maxHeaderBytes: config.maxHeaderBytes,
            tls: deps.rpcTls?.served,
            handshakeTimeoutMs: config.rpcHandshakeTimeoutMs,
            policy: () => waits,
          },
        );
  const others = [server, dns, ...((server && deps.rpcTls?.keep(server)) ?? [])].filter((one) => one !== undefined);
  return { byName: { http, https, server, dns }, members: [...members, ...others] };
}
