import { tmpdir } from 'node:os';
import { forwardRoutes } from '../../agent/backend/forward-routes.ts';
import { parseAgentConfig } from '../../agent/config.ts';
import { type ClientAgent, composeClientAgent } from '../../agent/main.ts';
import type { Route } from '../../api/http/route.ts';
import { FakeClock } from '../../core/clock.ts';
import { createLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom } from '../../core/random.ts';
import { composeServerAgent } from '../../lictor/server-agent.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';

const FILES = { readFile: () => '', readFolder: () => [], hostname: () => 'node-1' };
const PLACE = { nodeId: 'aaaaaaaa-0000-4000-8000-00000000000f', address: '127.0.0.1' };

/** Every route of a server's HTTP port, with all that is optional; nothing runs. */
export function serverAgentRoutes(): Route[] {
  const deps = parts();
  const { config } = parseAgentConfig(['-dev'], FILES);
  const reloads = { current: config, add: () => {}, reload: async () => {} };
  const { server, agent } = composeServerAgent(config, PLACE, { ...deps, reloads, store: openMemoryStore() });
  return [...agent.routes, ...server.routes];
}

/** Every route of the HTTP port of an agent in client mode; nothing runs. */
export function clientAgentRoutes(): Route[] {
  const deps = parts();
  const { config } = parseAgentConfig(['-retry-join=127.0.0.1', `-data-dir=${tmpdir()}`], FILES);
  const reloads = { current: config, add: () => {}, reload: async () => {} };
  const identity = { ...PLACE, version: 'test', consulVersion: '1.21.4' };
  const { agent }: ClientAgent = composeClientAgent(config, { ...deps, reloads, identity });
  const pool = { request: () => Promise.reject(new Error('nothing runs')) };
  return [...agent.routes, ...forwardRoutes({ pool }, config)];
}

function parts() {
  const log = createLogger({ level: 'error', sink: process.stderr });
  return { clock: new FakeClock(), log, logs: log, metrics: new Metrics(), random: new SeededRandom(1) };
}
