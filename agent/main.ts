import { RequestTimings } from '../api/http/request-timings.ts';
import type { HttpServer } from '../api/http/server.ts';
import type { Clock } from '../core/clock.ts';
import type { RunContext, Runnable } from '../core/lifecycle.ts';
import { RunGroup, runnable } from '../core/lifecycle.ts';
import type { Logger, LogTaps } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Random } from '../core/random.ts';
import type { AgentIdentity } from './backend/agent-info.ts';
import { forwardRoutes } from './backend/forward-routes.ts';
import { knownMembers } from './backend/known-members.ts';
import { type ComposedAgent, composeAgent } from './composition.ts';
import { systemConfigFiles } from './config/system-files.ts';
import type { AgentConfig, ConfigReloads } from './config.ts';
import { HttpMeshAuthority } from './connect/http-mesh-authority.ts';
import { agentHttpListeners } from './http-listeners.ts';
import { HttpCatalogSource } from './local-view/http-catalog-source.ts';
import { LocalView } from './local-view/local-view.ts';
import { HttpServerCatalog } from './server-pool/http-server-catalog.ts';
import { JOIN_INTERVAL_MS, JoinLimit } from './server-pool/join-limit.ts';
import { ServerPool } from './server-pool/server-pool.ts';
import { RpcTls } from './tls/rpc-tls.ts';

export interface ClientAgentDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly logs?: LogTaps;
  readonly metrics: Metrics;
  readonly random: Random;
  readonly identity: AgentIdentity;
  /** The environment's DOCKER_HOST, for docker checks. */
  readonly dockerHost?: string;
  /** Makes the process stop, for PUT /v1/agent/leave. */
  readonly stop?: () => void;
  /** Whether the agent leaves when it stops without being told to leave; never when absent. */
  readonly leavesOnStop?: () => boolean;
  /** Called when a server answers for the first time. */
  readonly joined?: () => void;
  /** Changes the running agent with its files; without it the configuration stays as it was given. */
  readonly reloads?: ConfigReloads;
}

/** An agent in client mode: the parts that its process starts in order. */
export interface ClientAgent {
  readonly agent: ComposedAgent;
  /** The catalog as DNS reads it. */
  readonly view: LocalView;
  /** undefined when the port is off. */
  readonly http: HttpServer | undefined;
  /** HTTP and HTTPS, to be run. */
  readonly listeners: readonly Runnable[];
  /** Closes the connections to the servers when it stops: to be started first. */
  readonly connections: Runnable;
  /** Ends the agent when it cannot join. */
  readonly joinLimit: Runnable;
}

/** Puts a client agent together; nothing runs yet. @throws AppError `config` for bad server addresses. */
export function composeClientAgent(config: AgentConfig, deps: ClientAgentDeps): ClientAgent {
  const { reloads } = deps;
  const poolDeps = { ...deps, log: deps.log.child({ part: 'server-pool' }) };
  const { outgoing: tls } = new RpcTls({ ...deps, files: systemConfigFiles }, config);
  const pool = new ServerPool(poolDeps, { servers: config.retryJoin, tls });
  const catalog = new HttpServerCatalog({ pool });
  const view = new LocalView({ ...deps, source: new HttpCatalogSource({ pool }, config) });
  const timings = new RequestTimings(deps);
  const agent = composeAgent(config, {
    ...deps,
    timings,
    servers: catalog,
    authority: new HttpMeshAuthority({ pool }),
    others: knownMembers(catalog, view),
    join: (address) => pool.join(address),
    ...(reloads ? { reload: () => reloads.reload() } : {}),
  });
  reloads?.add((next) => () => agent.reconfigure(next));
  const routes = [...agent.routes, ...forwardRoutes({ pool }, config)];
  const { http, members } = agentHttpListeners(config, { ...deps, timings, files: systemConfigFiles }, routes);
  const connections = runnable('server-connections', async () => () => pool.close());
  const tries = {
    intervalMs: config.retryIntervalMs ?? JOIN_INTERVAL_MS,
    max: config.retryJoin.length > 0 ? config.retryMax : 0,
  };
  return { agent, view, http, listeners: members, connections, joinLimit: new JoinLimit({ ...deps, pool }, tries) };
}

/**
 * Runs a client agent until the signal aborts: connections, local state, HTTP and whatever `listeners` gives (the
 * process mounts DNS over the view there), then checks and sync.
 */
export async function runClientAgent(
  config: AgentConfig,
  deps: ClientAgentDeps,
  ctx: RunContext,
  listeners: (view: LocalView) => readonly Runnable[] = () => [],
): Promise<void> {
  const client = composeClientAgent(config, deps);
  const { agent, view, connections, joinLimit } = client;
  const members = [connections, joinLimit, agent.localState, ...client.listeners, ...listeners(view), view, agent.work];
  await new RunGroup(deps, { name: 'agent', members }).run(ctx);
}
