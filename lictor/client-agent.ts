import { runClientAgent } from '../agent/main.ts';
import type { CommandIo } from '../cli/command.ts';
import { SystemClock } from '../core/clock.ts';
import { createLogger } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { observeProcess } from '../core/process-metrics.ts';
import { SystemRandom } from '../core/random.ts';
import { createDns } from '../dns/dns-server.ts';
import { AutoReload, watchedPaths } from './auto-reload.ts';
import { type AgentStart, ConfigReloader } from './config-reloader.ts';
import { configWatches } from './config-watches.ts';
import { dnsOptions } from './dns-options.ts';
import { logEnd } from './end-log.ts';
import { leavesOn } from './leaves-on.ts';
import { nodePlace } from './run-server.ts';
import { ServiceManager } from './service-manager.ts';
import { CONSUL_COMPATIBLE_VERSION, lictorVersion } from './version.ts';

/**
 * `lictor agent` in client mode, with DNS over its local view: runs until the signal aborts.
 * @throws AppError `config`, `addressInUse`: one clear line each.
 */
export async function runClient({ config, read, configPaths }: AgentStart, io: CommandIo): Promise<void> {
  const log = createLogger({ level: config.logLevel, sink: io.stderr });
  const random = new SystemRandom();
  const stop = new AbortController();
  const signal = AbortSignal.any([io.signal, stop.signal]);
  logEnd(log, { asked: io.signal, left: stop.signal });
  const manager = new ServiceManager(io, { log, stopping: signal });
  const reloads = new ConfigReloader({ read, log, manager }, config);
  reloads.add((next) => () => log.setLevel(next.logLevel));
  const metrics = new Metrics();
  observeProcess(metrics);
  const deps = { clock: new SystemClock(), dockerHost: io.env.DOCKER_HOST, log, logs: log, reloads, metrics, random };
  const place = nodePlace(config, random);
  const identity = { ...place, version: lictorVersion(), consulVersion: CONSUL_COMPATIBLE_VERSION };
  const leaving = { stop: () => stop.abort(), leavesOnStop: () => leavesOn(io.signal.reason, config) };
  const ready = () => {
    log.info('the agent runs', { node: config.nodeName, ...place });
    // Where servers are named it is ready once it has joined one, as Consul's is.
    if (config.retryJoin.length === 0) manager.ready();
  };
  const joined = () => manager.ready();
  if (config.retryJoin.length === 0) {
    const text = 'requests that need one are refused, until one is named with lictor join or -retry-join';
    log.warn('retry_join names no server', { text });
  }
  const unlisten = io.onHangup?.(() => void reloads.reloadAndLog());
  try {
    await runClientAgent(config, { ...deps, ...leaving, identity, joined }, { signal, ready }, (view) => {
      const watches = configWatches(config, { ...deps, io, port: () => config.ports.http });
      const reload = () => reloads.reloadAndLog();
      const paths = () => watchedPaths(configPaths, reloads);
      const auto = config.autoReload ? [new AutoReload({ ...deps, reload }, { paths })] : [];
      if (config.ports.dns < 0) return [...watches, ...auto];
      const dns = createDns({ ...deps, reader: view }, dnsOptions(config));
      reloads.add((next) => dns.prepare(dnsOptions(next)));
      return [dns, ...watches, ...auto];
    });
  } finally {
    unlisten?.();
  }
}
