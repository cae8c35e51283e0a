import { tmpdir } from 'node:os';
import { parseAgentConfig } from '../../agent/config.ts';
import { type ClientAgent, composeClientAgent } from '../../agent/main.ts';
import { createHttpServer, type HttpServer } from '../../api/http/server.ts';
import { type Clock, SystemClock } from '../../core/clock.ts';
import { RunGroup, type Runnable } from '../../core/lifecycle.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SystemRandom } from '../../core/random.ts';
import { type ComposedServer, composeServer } from '../../server/composition.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Store } from '../../store/store.ts';

const shared = { clock: new SystemClock(), log: silentLogger, random: new SystemRandom() };

/** Something running within the test, to be stopped by it. */
export interface Running<T> {
  readonly parts: T;
  readonly origin: string;
  stop(): Promise<void>;
}

/** A server with its HTTP port on loopback; give store and port to start the same one again. */
export async function startServer(
  options: { store?: Store; port?: number; clock?: Clock } = {},
): Promise<Running<{ server: ComposedServer; store: Store; port: number }>> {
  const deps = { ...shared, clock: options.clock ?? shared.clock, metrics: new Metrics() };
  const store = options.store ?? openMemoryStore();
  const server = composeServer(
    {
      datacenter: 'dc1',
      nodeName: 'server-1',
      nodeAddress: '127.0.0.1',
      nodeId: '',
      consulVersion: '1.21.4',
      spoolDir: tmpdir(),
      store,
    },
    deps,
  );
  const http = createHttpServer(deps, {
    routes: server.routes,
    host: '127.0.0.1',
    port: options.port ?? 0,
    drainMs: 100,
  });
  const stop = await start([server.runnable, http]);
  const { port } = http.address();
  return { parts: { server, store, port }, origin: `http://127.0.0.1:${port}`, stop };
}

/** A client agent with its HTTP port on loopback. */
export async function startClientAgent(options: {
  dataDir: string;
  servers: readonly string[];
  node?: string;
  serfPort?: number;
  stop?: () => void;
}): Promise<Running<ClientAgent>> {
  const argv = [
    `-node=${options.node ?? 'node-1'}`,
    `-data-dir=${options.dataDir}`,
    '-http-port=0',
    '-bind=127.0.0.1',
    ...options.servers.map((server) => `-retry-join=${server}`),
    ...(options.serfPort === undefined ? [] : [`-serf-lan-port=${options.serfPort}`]),
  ];
  const files = { readFile: () => '', readFolder: () => [], hostname: () => 'test' };
  const { config } = parseAgentConfig(argv, files);
  const client = composeClientAgent(config, {
    ...shared,
    metrics: new Metrics(),
    ...(options.stop ? { stop: options.stop } : {}),
    identity: { nodeId: '', address: '127.0.0.1', version: 'test', consulVersion: '1.21.4' },
  });
  const http = client.http as HttpServer;
  const stop = await start([client.connections, client.agent.localState, http, client.view, client.agent.work]);
  return { parts: client, origin: `http://127.0.0.1:${http.address().port}`, stop };
}

/** Gives the function that stops it; rejects when a part does not start. */
async function start(members: readonly Runnable[]): Promise<() => Promise<void>> {
  const stop = new AbortController();
  let done: Promise<void> = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    done = new RunGroup(shared, { name: 'test', members }).run({ signal: stop.signal, ready: resolve });
    done.catch(reject);
  });
  return async () => {
    stop.abort();
    await done;
  };
}
