import type { RouteResponse } from '../../api/http/route.ts';
import { decodeRegistration } from '../../api/shapes/decode-registration.ts';
import { AppError } from '../../core/errors.ts';
import { SeededRandom } from '../../core/random.ts';
import { heapAfterCollection } from '../support/heap.ts';
import { jsonOf, RunningServer } from '../support/running-server.ts';

/** Mutated bodies; `make fuzz` asks for many more. */
const RUNS = Math.min(Number(process.env.FUZZ_RUNS ?? 3000), 100_000);
const SEED = Number(process.env.FUZZ_SEED ?? 20_260_101);

const SEEDS = [
  {
    Node: 'ext1',
    Address: '10.2.0.1',
    ID: '11111111-2222-4333-8444-555555555501',
    NodeMeta: { rack: 'r1' },
    TaggedAddresses: { lan: '10.2.0.1' },
    Service: {
      ID: 'web1',
      Service: 'web',
      Tags: ['a'],
      Port: 80,
      Meta: { v: '1' },
      Weights: { Passing: 3, Warning: 1 },
      TaggedAddresses: { wan: { Address: '203.0.113.9', Port: 8443 } },
    },
    Check: { CheckID: 'service:web1', Name: 'alive', Status: 'passing', ServiceID: 'web1', Output: 'ok' },
  },
  {
    Node: 'ext2',
    Address: 'x',
    SkipNodeUpdate: true,
    Checks: [
      {
        Name: 'n1',
        Status: 'critical',
        Definition: { HTTP: 'http://x', Interval: '10s', Timeout: 1000000000, Header: { a: ['b'] } },
      },
    ],
    Service: {
      Service: 's',
      Proxy: { Upstreams: [{ a: 1 }] },
      Connect: { Native: true },
      Ports: [{ Name: 'http', Port: 1 }],
    },
  },
].map((body) => JSON.stringify(body));

const TOKENS = [
  'null',
  'true',
  '-1',
  '1e308',
  '99999999999999999999',
  '""',
  '[]',
  '{}',
  '"\\ud800"',
  '"\\u0000"',
  '"__proto__"',
  '[[[[',
  '}}}}',
  '"10s"',
  '"a/b%"',
  '\u{10FFFF}',
  '"İ"',
  `"${'x'.repeat(1600)}"`,
];

function mutate(random: SeededRandom): Buffer {
  const pick = (n: number) => Math.floor(random.next() * n);
  let text = SEEDS[pick(SEEDS.length)]!;
  const times = 1 + pick(4);
  for (let i = 0; i < times; i++) {
    const at = pick(text.length);
    const token = TOKENS[pick(TOKENS.length)]!;
    switch (pick(6)) {
      case 0: // another value in the place of one
        text = replaceValue(text, at, token);
        break;
      case 1:
        text = text.slice(0, at) + token + text.slice(at);
        break;
      case 2:
        text = text.slice(0, at) + text.slice(at + 1 + pick(8));
        break;
      case 3: // one piece twice
        text = text.slice(0, at) + text.slice(at, at + pick(40)) + text.slice(at);
        break;
      case 4:
        text = text.slice(0, at) + String.fromCharCode(pick(256)) + text.slice(at + 1);
        break;
      default: // other capitals
        text = text.slice(0, at) + text.slice(at, at + 10).toUpperCase() + text.slice(at + 10);
    }
  }
  const bytes = Buffer.from(text);
  if (pick(8) === 0 && bytes.length > 0) bytes[pick(bytes.length)] = pick(256);
  return bytes;
}

/** Replaces the JSON string or number after the next colon. */
function replaceValue(text: string, from: number, token: string): string {
  const found = /:("[^"]*"|-?\d+)/.exec(text.slice(from));
  if (!found) return text;
  const start = from + found.index + 1;
  return text.slice(0, start) + token + text.slice(start + found[1]!.length);
}

/** Noise of the collector and of code that is compiled meanwhile; a leak of 100 bytes a body would be more. */
const MAX_GROWTH_BYTES = 6 * 1024 * 1024;

describe('a mutated register body', () => {
  it('leaves nothing in memory once it is decoded', () => {
    const random = new SeededRandom(SEED + 1);
    let before = 0;
    for (let run = 0; run < RUNS; run++) {
      if (run === Math.floor(RUNS / 4)) before = heapAfterCollection();
      try {
        decodeRegistration(mutate(random));
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
      }
    }
    expect(heapAfterCollection() - before).toBeLessThan(MAX_GROWTH_BYTES);
  }, 600_000);

  it('is decoded or refused as a bad request, and never changes what it does not name', async () => {
    const random = new SeededRandom(SEED);
    const server = await RunningServer.start();
    let accepted = 0;
    let refused = 0;
    for (let run = 0; run < RUNS; run++) {
      const body = mutate(random);
      try {
        decodeRegistration(body);
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'badRequest') {
          throw new Error(`run ${run}: ${body.toString('base64')}`, { cause: error });
        }
      }
      // The catalog too gives a value or a bad request.
      const answer = await server.call('PUT', '/v1/catalog/register', { body }).catch((error: unknown) => error);
      if (answer instanceof Error) {
        if (!(answer instanceof AppError) || answer.code !== 'badRequest') {
          throw new Error(`run ${run}: ${body.toString('base64')}`, { cause: answer });
        }
        refused++;
      } else if (jsonOf(answer as RouteResponse) === true) accepted++;
      else refused++;
    }
    expect(accepted).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
    // The catalog is whole: everything that it lists can be read.
    const { json: nodes } = await server.get<{ Node: string }[]>('/v1/catalog/nodes');
    for (const { Node } of nodes) {
      if (Node !== '') await server.get(`/v1/catalog/node/${encodeURIComponent(Node)}`);
    }
    await server.get('/v1/health/state/any');
    await server.stop();
  }, 600_000);
});
