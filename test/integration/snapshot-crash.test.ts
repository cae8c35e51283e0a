import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';

const ROUNDS = Number(process.env.LICTOR_RESTORE_KILLS ?? 3);
const KEYS = 4000;

let server: AgentProcess;
const agent = new Agent({ connections: 64 });
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await agent.destroy();
  await server.stop();
});

async function call(method: 'GET' | 'PUT', path: string, body?: string | Buffer): Promise<Buffer> {
  const answer = await request(`${server.url}${path}`, { method, body, dispatcher: agent });
  const bytes = Buffer.from(await answer.body.arrayBuffer());
  if (answer.statusCode !== 200) throw new Error(`${method} ${path}: ${answer.statusCode} ${bytes}`);
  return bytes;
}

async function putAll(value: string): Promise<void> {
  const keys = Array.from({ length: KEYS }, (_, at) => at);
  const one = async () => {
    for (let at = keys.pop(); at !== undefined; at = keys.pop()) await call('PUT', `/v1/kv/k${at}`, value);
  };
  await Promise.all(Array.from({ length: 64 }, one));
}

/** The values of all keys, each once, and how many keys there are. */
async function held(): Promise<{ values: string[]; count: number }> {
  const pairs = await server.get<{ Value: string }[]>('/v1/kv/?recurse');
  const values = new Set(pairs.map(({ Value }) => Buffer.from(Value, 'base64').toString()));
  return { values: [...values], count: pairs.length };
}

it('leaves the old data whole, or all of the new, when it is killed in mid-restore', async () => {
  await putAll('saved');
  const archive = await call('GET', '/v1/snapshot');
  await putAll('now');
  // How long a whole restore takes here, so that the kills fall into it.
  const start = performance.now();
  await call('PUT', '/v1/snapshot', archive);
  const wholeMs = performance.now() - start;
  expect(await held()).toEqual({ values: ['saved'], count: KEYS });
  await putAll('now');
  let kept = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const restoring = call('PUT', '/v1/snapshot', archive).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, (wholeMs * (round + 0.5)) / (ROUNDS + 1)));
    await server.kill();
    await restoring;
    await server.restart();
    await eventually(async () => (await held()).count === KEYS, { withinMs: 20_000, what: 'the data' });
    const { values } = await held();
    expect([['now'], ['saved']]).toContainEqual(values);
    if (values[0] === 'now') kept++;
    else await putAll('now');
  }
  // The first kill at least comes before the restore is done.
  expect(kept).toBeGreaterThan(0);
  const spooled = async () =>
    (await readdir(join(server.folder, 'data'))).filter((name) => name.startsWith('restore-'));
  await eventually(async () => (await spooled()).length === 0, { withinMs: 20_000, what: 'no spooled archive' });
  // What was left over does not stand in the way of the next one.
  await eventually(() => call('PUT', '/v1/snapshot', archive), { withinMs: 20_000, what: 'a restore' });
  expect(await held()).toEqual({ values: ['saved'], count: KEYS });
}, 180_000);
