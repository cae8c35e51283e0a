import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { advertisedAddress } from '../agent/config/advertise-address.ts';
import { systemConfigFiles } from '../agent/config/system-files.ts';
import { type AgentConfig, managesEtcd } from '../agent/config.ts';
import { RpcTls } from '../agent/tls/rpc-tls.ts';
import type { CommandIo } from '../cli/command.ts';
import { SystemClock } from '../core/clock.ts';
import { AppError, errorText } from '../core/errors.ts';
import { RunGroup } from '../core/lifecycle.ts';
import { createLogger, type Logger } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { observeProcess } from '../core/process-metrics.ts';
import { SystemRandom } from '../core/random.ts';
import type { EtcdStore } from '../store/etcd/etcd-store.ts';
import { openLmdbStore } from '../store/lmdb/open-lmdb-store.ts';
import { openMemoryStore } from '../store/memory/memory-store.ts';
import type { Store } from '../store/store.ts';
import { AutoReload, watchedPaths } from './auto-reload.ts';
import { assertNotOfCluster, CATALOG_FOLDER } from './cluster-folder.ts';
import { type AgentStart, ConfigReloader } from './config-reloader.ts';
import { configWatches } from './config-watches.ts';
import { logEnd } from './end-log.ts';
import { EtcdCertificate } from './etcd-certificate.ts';
import { leavesOn } from './leaves-on.ts';
import type { ManagedEtcd } from './managed-etcd/managed-etcd.ts';
import { stableNodeId } from './node-identity.ts';
import { composeServerAgent, type NodePlace } from './server-agent.ts';
import { ServiceManager } from './service-manager.ts';

/**
 * `lictor agent -server` and `-dev`: runs until the signal aborts.
 * @throws AppError `config`, `addressInUse`, `storeCorrupt`, `storeVersion`: one clear line each.
 */
export async function runServer({ config, read, configPaths }: AgentStart, io: CommandIo): Promise<void> {
  const clock = new SystemClock();
  const random = new SystemRandom();
  const metrics = new Metrics();
  observeProcess(metrics);
  const log = createLogger({ level: config.logLevel, sink: io.stderr });
  const stop = new AbortController();
  const signal = AbortSignal.any([io.signal, stop.signal]);
  logEnd(log, { asked: io.signal, left: stop.signal });
  const manager = new ServiceManager(io, { log, stopping: signal });
  const reloader = new ConfigReloader({ read, log, manager }, config);
  reloader.add((next) => () => log.setLevel(next.logLevel));
  const place = nodePlace(config, random);
  const unlisten = io.onHangup?.(() => void reloader.reloadAndLog());
  const files = systemConfigFiles;
  const rpcTls = new RpcTls({ clock, log, metrics, files, reloads: reloader }, config);
  const managed = managesEtcd(config)
    ? await (await import('./managed-etcd/managed-etcd.ts')).openManagedEtcd(
        config,
        place,
        { clock, log, random, metrics, files, reloads: reloader, rpcTls },
        signal,
      )
    : undefined;
  if (signal.aborted) return unlisten?.();
  const certificate = config.etcd.endpoints.length > 0 ? new EtcdCertificate({ clock, log }, config.etcd) : undefined;
  const shared = await openSharedStore(config, { managed, certificate }, { clock, log, random, metrics });
  const store = shared ?? (await openStore(config, { clock, log, random, metrics }));
  if (certificate && shared) reloader.add(() => certificate.prepare((tls) => shared.renewTls(tls)));
  if (managed && shared) managed.renewTls((tls) => shared.renewTls(tls));
  try {
    const servers = store.traits.replicated
      ? (await import('./own-servers.ts')).throughOwnPort(config, { clock, log, metrics, random }, rpcTls.outgoing)
      : undefined;
    const roles = composeServerAgent(config, place, {
      clock,
      log,
      logs: log,
      metrics,
      random,
      store,
      dockerHost: io.env.DOCKER_HOST,
      ...(servers ? { servers } : {}),
      reloads: reloader,
      rpcTls,
      stop: () => stop.abort(),
      ...(managed ? { mayLeave: () => managed.mayLeave() } : {}),
      joinRoutes: managed?.routes ?? [],
    });
    const port = () => roles.address('http')?.port ?? config.ports.http;
    const reload = () => reloader.reloadAndLog();
    const auto = config.autoReload
      ? [new AutoReload({ clock, reload }, { paths: () => watchedPaths(configPaths, reloader) })]
      : [];
    const watches = configWatches(config, { clock, log, io, reloads: reloader, port });
    await new RunGroup(
      { clock, log },
      {
        name: 'agent',
        members: [
          ...(managed ? [managed.process] : []),
          ...(certificate ? [certificate] : []),
          roles.runnable,
          ...(managed ? [managed.upkeep(roles.server)] : []),
          ...watches,
          ...auto,
        ],
      },
    ).run({
      signal,
      ready: () => {
        log.info('the agent runs', { node: config.nodeName, ...place });
        manager.ready();
      },
    });
  } finally {
    unlisten?.();
    await store.close();
    // Only for who leaves: a server that is just restarted finds its etcd running.
    if (stop.signal.aborted || leavesOn(io.signal.reason, config)) await managed?.leave();
  }
}

/** The node's id and address from configuration, data folder and machine. */
export function nodePlace(config: AgentConfig, random: SystemRandom): NodePlace {
  const address = advertisedAddress(
    config,
    Object.values(networkInterfaces()).flatMap((list) => list ?? []),
  );
  if (config.nodeId !== '') return { nodeId: config.nodeId, address };
  return { nodeId: config.dataDir === '' ? random.uuid() : stableNodeId(config.dataDir, random), address };
}

/**
 * The store that the servers of a cluster share; undefined for a server that is alone.
 * @throws AppError `config` for a file that cannot be used.
 */
async function openSharedStore(
  { etcd: { endpoints: configured, prefix }, dataDir: folder }: AgentConfig,
  of: { managed: ManagedEtcd | undefined; certificate: EtcdCertificate | undefined },
  deps: { clock: SystemClock; log: Logger; random: SystemRandom; metrics: Metrics },
): Promise<EtcdStore | undefined> {
  const { managed, certificate } = of;
  const endpoints = managed?.endpoints ?? configured;
  if (endpoints.length === 0) return undefined;
  // Only servers of a cluster load the library, which takes 20 MB.
  const { openEtcdStore } = await import('../store/etcd/open-etcd-store.ts');
  const tls = managed?.tls ?? certificate?.tls;
  certificate?.look();
  try {
    return await openEtcdStore({ ...deps, endpoints, prefix, folder, ...(tls ? { tls } : {}) });
  } catch (error) {
    // Etcd merely closes the connection of a certificate that does not count.
    const problem = certificate?.problem;
    if (problem !== undefined) throw new AppError('config', `${problem} (${errorText(error)})`, { cause: error });
    const about = tls && error instanceof AppError && error.code === 'unavailable';
    const shown = about ? await (await import('./etcd-members.ts')).shownCertificates(endpoints, tls) : [];
    throw shown.length === 0
      ? error
      : new AppError('unavailable', `${errorText(error)}; ${shown.join('; ')}`, { cause: error });
  }
}

async function openStore(
  config: AgentConfig,
  deps: { clock: SystemClock; log: Logger; random: SystemRandom; metrics: Metrics },
): Promise<Store> {
  if (config.mode === 'dev' && config.dataDir === '') return openMemoryStore();
  assertNotOfCluster(config.dataDir);
  return openLmdbStore({ dir: join(config.dataDir, CATALOG_FOLDER), ...deps });
}
