import 'reflect-metadata';
import { isIP } from 'node:net';
import {
  type DependencyContainer,
  type InjectionToken,
  instanceCachingFactory,
  container as rootContainer,
} from 'tsyringe';
import type { RequestTimings } from '../api/http/request-timings.ts';
import type { Route } from '../api/http/route.ts';
import { agentConnectRoutes } from '../api/routes/agent-connect-routes.ts';
import type { Member } from '../api/routes/agent-local-backend.ts';
import { agentRoutes } from '../api/routes/agent-routes.ts';
import { metricsProxyRoute } from '../api/routes/metrics-proxy-route.ts';
import { openApiRoute } from '../api/routes/openapi-route.ts';
import { reloadRoute } from '../api/routes/reload-route.ts';
import type { Clock } from '../core/clock.ts';
import { RunGroup, type Runnable, runnable } from '../core/lifecycle.ts';
import type { Logger, LogTaps } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Random } from '../core/random.ts';
import { AntiEntropySyncer } from './anti-entropy/anti-entropy-syncer.ts';
import { AssignmentFollower } from './anti-entropy/assignment-follower.ts';
import { CriticalReaper } from './anti-entropy/critical-reaper.ts';
import type { NodeIdentity } from './anti-entropy/sync-plan.ts';
import { VerdictReporter } from './anti-entropy/verdict-reporter.ts';
import { type AgentIdentity, AgentInfo, nodeMeta } from './backend/agent-info.ts';
import { applyDeclared } from './backend/apply-declared.ts';
import { type ClusterDeps, composeCluster } from './backend/compose-cluster.ts';
import { LocalBackend } from './backend/local-backend.ts';
import type { QuorumStats } from './backend/self-document.ts';
import { AliasWatch } from './checks/alias-watch.ts';
import { CheckSupervisor } from './checks/check-supervisor.ts';
import { networkProbe } from './checks/probe.ts';
import { RemoteNodes } from './checks/remote-nodes.ts';
import type { AgentConfig } from './config.ts';
import { ConnectBackend } from './connect/connect-backend.ts';
import { LeafCertificates } from './connect/leaf-certificates.ts';
import type { MeshAuthority } from './connect/mesh-authority.ts';
import { RootFollower } from './connect/root-follower.ts';
import { canonicalJson } from './local-state/canonical-json.ts';
import { FolderStateFiles } from './local-state/folder-state-files.ts';
import type { Origin } from './local-state/local-records.ts';
import { LocalState } from './local-state/local-state.ts';
import { noStateFiles } from './local-state/state-files.ts';
import { HttpMetricsSource } from './metrics-proxy/http-metrics-source.ts';
import type { ServerCatalog } from './server-pool/server-catalog.ts';
import {
  AGENT_INFO,
  ANTI_ENTROPY,
  ASSIGNMENT_FOLLOWER,
  CHECK_SUPERVISOR,
  CRITICAL_REAPER,
  LOCAL_BACKEND,
  LOCAL_STATE,
  VERDICT_REPORTER,
} from './tokens.ts';

/** What an agent is given by its process. */
export interface AgentDeps extends ClusterDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Lines of the whole process's log, for GET /v1/agent/monitor; without it there is no such route. */
  readonly logs?: LogTaps;
  readonly metrics: Metrics;
  /** Of the HTTP listener, for GET /v1/agent/metrics. */
  readonly timings?: RequestTimings;
  readonly random: Random;
  readonly servers: ServerCatalog;
  /** The cluster's certificate authority; without it /v1/agent/connect/… is not served. */
  readonly authority?: MeshAuthority;
  readonly identity: AgentIdentity;
  /** The environment's DOCKER_HOST, for docker checks. */
  readonly dockerHost?: string;
  /** The members that the servers know; none when absent. */
  readonly others?: (signal: AbortSignal) => Promise<readonly Member[]>;
  /** The cluster as its server knows it; absent in client mode. */
  readonly quorum?: () => QuorumStats;
  /** Reads the configuration anew, for PUT /v1/agent/reload; without it there is no such route. */
  readonly reload?: () => Promise<void>;
}

/** An agent ready to run. */
export interface ComposedAgent {
  /** Reads the state of the last run and runs its checks, so that updates are taken; then HTTP and DNS may open. */
  readonly localState: Runnable;
  /** Syncs with the servers; to be started after the listeners. The first comparison shows what checks found until then. */
  readonly work: Runnable;
  /** Both, for a process that does not care about the order of its listeners. */
  readonly runnable: Runnable;
  /** /v1/agent/… */
  readonly routes: readonly Route[];
  /** Whether the catalog was compared and the assigned checks were read since the start (a readiness signal). */
  synced(): boolean;
  /** Puts the reloadable part of a configuration in force: services, checks (their states stay) and node_meta. */
  reconfigure(config: AgentConfig): Promise<void>;
}

/** Puts an agent together; nothing runs yet. */
export function composeAgent(config: AgentConfig, deps: AgentDeps): ComposedAgent {
  const live = { current: config };
  const container = register(rootContainer.createChildContainer(), live, deps);
  const local = container.resolve(LOCAL_STATE);
  const syncer = container.resolve(ANTI_ENTROPY);
  const follower = container.resolve(ASSIGNMENT_FOLLOWER);
  const backend = container.resolve(LOCAL_BACKEND);
  const localState = new RunGroup(deps, {
    name: 'agent-state',
    members: [localStateRunnable(config, local), checksRunnable(local, container.resolve(CHECK_SUPERVISOR), live)],
  });
  const connect = deps.authority && composeConnect(config, { ...deps, authority: deps.authority });
  const info = container.resolve(AGENT_INFO);
  const { join } = deps;
  const joining = join && {
    join: async (address: string) => {
      await join(address);
      syncer.compareNow();
      follower.joined();
    },
  };
  const { backend: cluster, departure } = composeCluster(config, { ...deps, ...joining }, (signal) =>
    info.members(signal),
  );
  const work = new RunGroup(deps, {
    name: 'agent-work',
    members: [
      ...(departure ? [departure] : []),
      ...(connect?.members ?? []),
      syncer,
      container.resolve(VERDICT_REPORTER),
      follower,
      container.resolve(CRITICAL_REAPER),
    ],
  });
  return {
    localState,
    work,
    runnable: new RunGroup(deps, { name: 'agent', members: [localState, work] }),
    routes: [
      ...agentRoutes({
        ...deps,
        backend: { services: backend, checks: backend, info, cluster },
      }),
      ...(connect?.routes ?? []),
      metricsProxyRoute(config.metricsProxy && new HttpMetricsSource(config.metricsProxy)),
      ...(deps.reload ? [reloadRoute({ reload: deps.reload })] : []),
      openApiRoute({ version: deps.identity.version }),
    ],
    synced: () => syncer.synced() && follower.synced(),
    reconfigure: async (next) => {
      const before = live.current;
      live.current = next;
      const node = nodeIdentity(next, deps.identity);
      if (canonicalJson(node) !== canonicalJson(nodeIdentity(before, deps.identity))) syncer.setNode(node);
      await applyDeclared(local, next);
      // What is declared as before is no news: it comes back where somebody has taken it out of the catalog.
      syncer.compareNow();
    },
  };
}

/** What the agent knows of the mesh: its endpoints, and what keeps them up to date. */
function composeConnect(
  config: AgentConfig,
  deps: AgentDeps & { readonly authority: MeshAuthority },
): { routes: Route[]; members: Runnable[] } {
  const { datacenter } = config;
  const roots = new RootFollower(deps);
  // Identities of one node: its services and its proxies.
  const leaves = new LeafCertificates({ ...deps, roots }, { maxLeaves: 5_000 });
  const backend = new ConnectBackend({ ...deps, roots, leaves }, { datacenter });
  return {
    routes: agentConnectRoutes(deps, backend, config.connect),
    members: config.connect.enabled ? [roots, runnable('connect-leaves', async () => () => leaves.close())] : [],
  };
}

function register(
  container: DependencyContainer,
  live: { readonly current: AgentConfig },
  deps: AgentDeps,
): DependencyContainer {
  const config = live.current;
  const { clock, log, servers } = deps;
  const provide = <T>(token: InjectionToken<T>, make: (c: DependencyContainer) => T) =>
    container.register(token, { useFactory: instanceCachingFactory(make) });
  const node = nodeIdentity(config, deps.identity);
  const { nodeName } = config;
  provide(LOCAL_STATE, () => {
    const files = config.mode === 'dev' && config.dataDir === '' ? noStateFiles : new FolderStateFiles(config);
    return new LocalState({ files, clock, log: log.child({ part: 'local-state' }) });
  });
  provide(CHECK_SUPERVISOR, (c) => {
    const onState = (key: string, status: 'passing' | 'warning' | 'critical', output: string) =>
      void c.resolve(LOCAL_STATE).setVerdict(key, status, live.current.discardCheckOutput ? '' : output);
    return new CheckSupervisor(
      {
        ...deps,
        probe: networkProbe(deps),
        aliases: new AliasWatch({ state: c.resolve(LOCAL_STATE), nodes: new RemoteNodes(deps) }, { nodeName }),
        onState,
      },
      { outputMaxBytes: config.checkOutputMaxBytes },
    );
  });
  provide(VERDICT_REPORTER, (c) => {
    const holds = (key: string, serviceKey: string | undefined) => c.resolve(ANTI_ENTROPY).holds(key, serviceKey);
    const nodeRegistered = () => c.resolve(ANTI_ENTROPY).nodeRegistered();
    const onReconnect = () => c.resolve(ANTI_ENTROPY).reconnected();
    return new VerdictReporter(
      { ...deps, local: c.resolve(LOCAL_STATE), catalog: servers, holds, nodeRegistered, onReconnect },
      { nodeName, outputDelayMs: config.checkUpdateIntervalMs, serfPort: Math.max(0, config.ports.serfLan) },
    );
  });
  provide(ANTI_ENTROPY, (c) => {
    const verdicts = c.resolve(VERDICT_REPORTER);
    return new AntiEntropySyncer({ ...deps, local: c.resolve(LOCAL_STATE), catalog: servers, verdicts }, { node });
  });
  provide(
    ASSIGNMENT_FOLLOWER,
    (c) => new AssignmentFollower({ ...deps, local: c.resolve(LOCAL_STATE), catalog: servers }, { nodeName }),
  );
  provide(
    CRITICAL_REAPER,
    (c) => new CriticalReaper({ ...deps, local: c.resolve(LOCAL_STATE), catalog: servers }, { nodeName }),
  );
  provide(LOCAL_BACKEND, (c) => {
    const settled = (limitMs: number) => c.resolve(ANTI_ENTROPY).settled(limitMs);
    return new LocalBackend({
      local: c.resolve(LOCAL_STATE),
      supervisor: c.resolve(CHECK_SUPERVISOR),
      settled,
      config: () => live.current,
    });
  });
  provide(AGENT_INFO, (c) => {
    const others = deps.others ?? (async () => []);
    return new AgentInfo({
      get config() {
        return live.current;
      },
      identity: deps.identity,
      local: c.resolve(LOCAL_STATE),
      others,
      quorum: deps.quorum,
    });
  });
  return container;
}

function localStateRunnable(config: AgentConfig, local: LocalState): Runnable {
  return runnable('local-state', async () => {
    await local.load();
    await applyDeclared(local, config);
    // Not before: clients may have registered checks of services that the configuration declares.
    await local.dropOrphans();
  });
}

/** Runs a runner for each check of the local state, and stops them all at the end. */
function checksRunnable(
  local: LocalState,
  supervisor: CheckSupervisor,
  live: { readonly current: AgentConfig },
): Runnable {
  return runnable('checks', async () => {
    const begin = (key: string, how: { prompt: boolean; crowd: number }) => {
      const check = local.check(key);
      if (!check) return supervisor.stop(key);
      const { definition, status, output, origin } = check;
      supervisor.start({ key, definition, status, output, ...how, scripts: mayRunScripts(origin, live.current) });
    };
    for (const check of [...local.checks()]) {
      begin(`${check.namespace}/${check.checkId.toLowerCase()}`, { prompt: false, crowd: 1 });
    }
    const unlisten = local.onChange((change) => {
      if (change.kind === 'check') begin(change.key, change);
    });
    return () => {
      unlisten();
      supervisor.stopAll();
    };
  });
}

/** What comes through the catalog never runs commands here. */
function mayRunScripts(origin: Origin, config: AgentConfig): boolean {
  if (origin === 'assigned') return false;
  return origin === 'config' ? config.enableLocalScriptChecks : config.enableScriptChecks;
}

function nodeIdentity(config: AgentConfig, identity: AgentIdentity): NodeIdentity {
  const { address } = identity;
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  return {
    datacenter: config.datacenter,
    nodeName: config.nodeName,
    nodeId: identity.nodeId,
    address,
    taggedAddresses: { lan: address, [`lan_${family}`]: address, wan: address, [`wan_${family}`]: address },
    meta: nodeMeta(config, identity),
  };
}
