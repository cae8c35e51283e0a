import { readFileSync } from 'node:fs';
import { Pool } from 'undici';
import { SeededRandom } from '../../core/random.ts';
import { mutatedFilter } from '../support/filter-mutations.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';

/** Requests with mutated filters; FILTER_REQUESTS=100000 is the long run. */
const REQUESTS = Number(process.env.FILTER_REQUESTS ?? 2000);
const SEED = Number(process.env.FUZZ_SEED ?? 20_260_101);
const AT_ONCE = 16;
/** Of the requests of others meanwhile: ten times what they wait for the slowest filters before them. */
const OTHERS_MS = 20_000;
/** The caches of filters and answers are bounded; what is in use beside them comes and goes. */
const GROWTH_MIB = 250;
/** The filters are made for the first, which is asked most. */
const PATHS = [
  '/v1/health/service/web',
  '/v1/health/state/any',
  '/v1/health/node/n1',
  '/v1/catalog/nodes',
  '/v1/catalog/services',
  '/v1/catalog/service/web',
  '/v1/catalog/node-services/n1',
  '/v1/agent/services',
  '/v1/agent/checks',
  '/v1/connect/intentions',
];

let agent: AgentProcess;
let pool: Pool;
beforeAll(async () => {
  agent = await startServer({ args: ['-log-level=warn'] });
  pool = new Pool(agent.url, { connections: AT_ONCE + 1 });
  for (let n = 0; n < 20; n++) {
    const registration = {
      Node: `n${n}`,
      Address: `10.6.0.${n}`,
      NodeMeta: { 'odd-key': 'q' },
      Service: { ID: `web-${n}`, Service: 'web', Port: n, Tags: ['hot'], Meta: { version: `${n}` } },
      Check: {
        Node: `n${n}`,
        CheckID: 'c',
        Name: 'c',
        ServiceID: `web-${n}`,
        Status: 'passing',
        Output: 'a'.repeat(2000),
      },
    };
    const answer = await pool.request({
      method: 'PUT',
      path: '/v1/catalog/register',
      body: JSON.stringify(registration),
    });
    expect({ status: answer.statusCode, text: await answer.body.text() }).toEqual({ status: 200, text: 'true' });
  }
}, 60_000);
afterAll(async () => {
  await pool?.destroy();
  await agent?.stop();
});

function residentMib(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${agent.process.pid}/status`, 'utf8'))![1]) / 1024;
}

async function ask(path: string): Promise<{ status: number; text: string; code: unknown }> {
  const answer = await pool.request({ method: 'GET', path, headersTimeout: OTHERS_MS, bodyTimeout: OTHERS_MS });
  return { status: answer.statusCode, text: await answer.body.text(), code: answer.headers['x-lictor-error'] };
}

it(
  `${REQUESTS} mutated filters are answered or refused in words, others are served meanwhile, and memory stays`,
  async () => {
    const random = new SeededRandom(SEED);
    const counts = { answered: 0, refused: 0, others: 0 };
    let left = REQUESTS;
    const one = async () => {
      const filter = mutatedFilter(random);
      const path = random.next() < 0.5 ? PATHS[0]! : PATHS[Math.floor(random.next() * PATHS.length)]!;
      const { status, text, code } = await ask(`${path}?filter=${encodeURIComponent(filter.toWellFormed())}`);
      const shown = JSON.stringify({ path, filter, status, code, text: text.slice(0, 300) });
      if (status === 200) {
        JSON.parse(text);
        counts.answered++;
      } else {
        // Consul's status of a filter that it cannot use; the text says where and why.
        if (status !== 500 || code !== 'filterInvalid' || text.trim() === '') throw new Error(shown);
        counts.refused++;
      }
    };
    const worker = async () => {
      while (left-- > 0) await one();
    };
    const others = async () => {
      while (left > 0) {
        const { status, text } = await ask('/v1/health/service/web?passing');
        expect({ status, instances: (JSON.parse(text) as unknown[]).length }).toEqual({ status: 200, instances: 20 });
        counts.others++;
      }
    };
    const before = residentMib();
    await Promise.all([others(), ...Array.from({ length: AT_ONCE }, worker)]);
    expect(counts.answered).toBeGreaterThan(REQUESTS / 100);
    expect(counts.refused).toBeGreaterThan(REQUESTS / 20);
    expect(counts.others).toBeGreaterThan(0);
    expect(residentMib() - before).toBeLessThan(GROWTH_MIB);
    expect(agent.process.running).toBe(true);
  },
  Math.max(120_000, REQUESTS * 20),
);
