import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { advertisedAddress } from '../agent/config/advertise-address.ts';
import type { AgentConfig } from '../agent/config.ts';
import type { CommandIo } from '../cli/command.ts';
import { SystemClock } from '../core/clock.ts';
import { RunGroup } from '../core/lifecycle.ts';
import { createLogger, type Logger } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { observeProcess } from '../core/process-metrics.ts';
import { SystemRandom } from '../core/random.ts';
import { openLmdbStore } from '../store/lmdb/open-lmdb-store.ts';
import { openMemoryStore } from '../store/memory/memory-store.ts';
import type { Store } from '../store/store.ts';
import { AutoReload, watchedPaths } from './auto-reload.ts';
import { type AgentStart, ConfigReloader } from './config-reloader.ts';
import { configWatches } from './config-watches.ts';
import { stableNodeId } from './node-identity.ts';
import { composeServerAgent, type NodePlace } from './server-agent.ts';

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
  const reloader = new ConfigReloader({ read, log }, config);
  reloader.add((next) => () => log.setLevel(next.logLevel));
  const place = nodePlace(config, random);
  const store = await openStore(config, { clock, log, random, metrics });
  const stop = new AbortController();
  const signal = AbortSignal.any([io.signal, stop.signal]);
  const unlisten = io.onHangup?.(() => void reloader.reloadAndLog());
  try {
    const roles = composeServerAgent(config, place, {
      clock,
      log,
      logs: log,
      metrics,
      random,
      store,
      dockerHost: io.env.DOCKER_HOST,
      reloads: reloader,
      stop: () => stop.abort(),
    });
    const port = () => roles.address('http')?.port ?? config.ports.http;
    const reload = () => reloader.reloadAndLog();
    const auto = config.autoReload
      ? [new AutoReload({ clock, reload }, { paths: () => watchedPaths(configPaths, reloader) })]
      : [];
    const watches = configWatches(config, { clock, log, io, reloads: reloader, port });
    await new RunGroup({ clock, log }, { name: 'agent', members: [roles.runnable, ...watches, ...auto] }).run({
      signal,
      ready: () => log.info('the agent runs', { node: config.nodeName, ...place }),
    });
  } finally {
    unlisten?.();
    await store.close();
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

async function openStore(
  config: AgentConfig,
  deps: { clock: SystemClock; log: Logger; random: SystemRandom; metrics: Metrics },
): Promise<Store> {
  if (config.mode === 'dev' && config.dataDir === '') return openMemoryStore();
  return openLmdbStore({ dir: join(config.dataDir, 'catalog'), ...deps });
}
