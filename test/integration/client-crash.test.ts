import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HealthCheck } from '../../api/shapes/catalog.ts';
import { startServer } from '../support/agent-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { FastClock } from '../support/fast-clock.ts';
import { freePort } from '../support/processes/free-port.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';
import { startTied, type TiedProcess } from '../support/processes/tied-process.ts';

const PROGRAM = fileURLToPath(new URL('../support/processes/fast-agent.ts', import.meta.url));
/** Two minutes, which a service stays critical here before it is removed, are twelve seconds. */
const FACTOR = 10;
const WITHIN = { withinMs: 60_000 };

let folder: string;
let server: Awaited<ReturnType<typeof startServer>>;
let agent: TiedProcess;
let origin: string;

async function put(url: string, body?: object): Promise<void> {
  const answer = await fetch(url, { method: 'PUT', body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`PUT ${url}: ${answer.status} ${text}`);
}
async function get<T>(path: string): Promise<T> {
  return (await fetch(`${server.origin}${path}`)).json() as Promise<T>;
}
const statusOf = async (node: string, check: string) =>
  (await get<HealthCheck[]>(`/v1/health/node/${node}`)).find(({ CheckID }) => CheckID === check)?.Status;
const services = async () =>
  Object.keys(await get<object>('/v1/catalog/services'))
    .filter((name) => name !== 'consul')
    .sort();

async function startAgent(): Promise<void> {
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  agent = await startTied({
    name: 'agent',
    command: process.execPath,
    args: [
      ...[PROGRAM, `${FACTOR}`, '-node=node-1', `-data-dir=${join(folder, 'data')}`, `-http-port=${port}`],
      ...['-bind=127.0.0.1', `-retry-join=127.0.0.1:${server.parts.port}`],
    ],
    env: { NODE_OPTIONS: undefined },
    logFile: join(folder, 'log'),
  });
  await eventually(async () => (await fetch(`${origin}/v1/agent/self`)).ok, WITHIN);
}

beforeEach(async () => {
  folder = tempFolder('client-crash');
  server = await startServer({ clock: new FastClock(FACTOR) });
  await startAgent();
});
afterEach(async () => {
  await agent.kill();
  await server.stop();
  removeFolder(folder);
});

describe('clients that crash', () => {
  it('leave only what TTL checks and deregister_critical_service_after then remove, and nothing else goes', async () => {
    const check = (id: string, more: object = {}) => ({ CheckID: id, TTL: '40s', Status: 'passing', ...more });
    const register = (Name: string, Checks: object[]) => put(`${origin}/v1/agent/service/register`, { Name, Checks });
    const after = { DeregisterCriticalServiceAfter: '2m' };
    await register('crashed', [check('crashed', after), check('crashed-too')]);
    await register('told-nothing', [check('told-nothing')]);
    await register('unchecked', []);
    await register('alive', [check('alive', after)]);
    await put(`${server.origin}/v1/catalog/register`, {
      Node: 'node-2',
      Address: '10.0.0.2',
      Service: { Service: 'elsewhere' },
      Check: { CheckID: 'elsewhere', ServiceID: 'elsewhere', Status: 'critical', Definition: after },
    });
    const all = ['alive', 'crashed', 'elsewhere', 'told-nothing', 'unchecked'];
    await eventually(async () => expect(await services()).toEqual(all), WITHIN);

    // The agent goes with them: its node is known to be dead, and all of it is still there.
    await agent.kill();
    await eventually(async () => expect(await statusOf('node-1', 'serfHealth')).toBe('critical'), WITHIN);
    expect(await services()).toEqual(all);

    // Back again it knows what it had; one of its clients goes on as well.
    await startAgent();
    let beats: Promise<unknown> = Promise.resolve();
    const beat = () => {
      beats = put(`${origin}/v1/agent/check/pass/alive`).catch((error: unknown) => error);
    };
    beat();
    const beating = setInterval(beat, 500);
    try {
      await eventually(async () => expect(await statusOf('node-1', 'serfHealth')).toBe('passing'), WITHIN);
      for (const id of ['crashed', 'crashed-too', 'told-nothing']) {
        await eventually(async () => expect(await statusOf('node-1', id)).toBe('critical'), WITHIN);
      }
      expect(await services()).toEqual(all);
      const left = all.filter((name) => name !== 'crashed');
      await eventually(async () => expect(await services()).toEqual(left), WITHIN);
      const checks = (await get<HealthCheck[]>('/v1/health/node/node-1')).map(({ CheckID, Status }) => [
        CheckID,
        Status,
      ]);
      expect(Object.fromEntries(checks)).toEqual({
        serfHealth: 'passing',
        alive: 'passing',
        'told-nothing': 'critical',
      });
      const declared = (await (await fetch(`${origin}/v1/agent/services`)).json()) as object;
      expect(Object.keys(declared).sort()).toEqual(['alive', 'told-nothing', 'unchecked']);
    } finally {
      clearInterval(beating);
      await beats;
    }
  }, 180_000);
});
