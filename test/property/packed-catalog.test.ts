import { SeededRandom } from '../../core/random.ts';
import { EVERYTHING } from '../../store/contract/shorthand.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Store } from '../../store/store.ts';
import { jsonOf, RunningServer } from '../support/running-server.ts';
import { sharedStore } from '../support/shared-store.ts';

/*
 * Two servers are told the same things in a random order, again and again started anew: one packs its records and lets states lie
 * in definitions, the other keeps each half of a check in its plain form. All that they answer must be the same.
 */
const RUNS = Number(process.env.LICTOR_PACKED_RUNS ?? 4);
const STEPS = 250;
const RESTART_EVERY = 40;
const NODES = ['n1', 'N1', 'n2'];
const STATUSES = [undefined, 'passing', 'warning', 'critical'] as const;
/** Stands for the index that a server shows. */
const SHOWN_INDEX = -1;
const SHOWN = ['/v1/health/node/n1', '/v1/health/node/n2', '/v1/health/state/any', '/v1/health/service/web'];

interface Step {
  readonly method: string;
  readonly url: string;
  readonly body: unknown;
}

/** One of the two, with what it showed last. */
class Subject {
  readonly store: Store;
  #server: RunningServer | undefined;
  #indexes = new Map<string, unknown>();
  #modified = new Map<string, number>();

  constructor(store: Store) {
    this.store = store;
  }

  get server(): RunningServer {
    return this.#server!;
  }

  async restart(): Promise<void> {
    await this.#server?.stop();
    this.#server = await RunningServer.start({ store: this.store, elected: false });
  }

  /** The answer to a step, without indexes. */
  async answer({ method, url, body }: Step): Promise<unknown> {
    try {
      const answer = await this.server.call(method, url, { body: this.#withIndexes(body) });
      return [answer.status ?? 200, answer.text, withoutIndexes(jsonOf(answer))];
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** The same body with the index that this server shows of a check. */
  #withIndexes(body: unknown): unknown {
    if (!Array.isArray(body)) return body;
    return body.map((op: { Check: { Check: { Node: string; CheckID: string; ModifyIndex?: number } } }) => {
      const { Check } = op.Check;
      if (Check.ModifyIndex !== SHOWN_INDEX) return op;
      const ModifyIndex = this.#modified.get(`${Check.Node}/${Check.CheckID}`.toLowerCase()) ?? 0;
      return { Check: { ...op.Check, Check: { ...Check, ModifyIndex } } };
    });
  }

  /** What it shows now, without indexes, and whose index is another than before. */
  async shown(): Promise<unknown> {
    const bodies = await Promise.all(SHOWN.map(async (url) => (await this.server.get<unknown>(url)).json));
    const indexes = new Map<string, unknown>();
    const changed: string[] = [];
    const modified = new Map<string, number>();
    for (const { Node, CheckID, CreateIndex, ModifyIndex } of bodies.slice(0, 2).flat() as Check[]) {
      const name = `${Node}/${CheckID}`;
      const now = `${CreateIndex} ${ModifyIndex}`;
      modified.set(name.toLowerCase(), ModifyIndex);
      indexes.set(name, now);
      if (this.#indexes.get(name) !== now) changed.push(name);
    }
    this.#indexes = indexes;
    this.#modified = modified;
    return { bodies: withoutIndexes(bodies), changed };
  }
}

interface Check {
  readonly Node: string;
  readonly CheckID: string;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

function withoutIndexes(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null, (key, item) => (key.endsWith('Index') ? 0 : item)));
}

function randomSteps(seed: number): Step[] {
  const random = new SeededRandom(seed);
  const of = <T>(items: readonly T[]): T => items[Math.floor(random.next() * items.length)]!;
  const check = () => ({
    CheckID: of(['c0', 'c1', 'C1', 'c2']),
    Name: of(['alive', 'other']),
    Notes: of(['', 'n']),
    ServiceID: of([undefined, 's0', 's1']),
    Status: of(STATUSES),
    Output: of([undefined, 'fine', 'bad']),
    Definition: of([undefined, undefined, { HTTP: 'http://x', Interval: '10s' }]),
  });
  const service = () => ({ ID: of(['s0', 's1']), Service: of(['web', 'Web', 'db']), Port: of([0, 80]) });
  const register = (): Step => ({
    method: 'PUT',
    url: '/v1/catalog/register',
    body: {
      Node: of(NODES),
      Address: '10.0.0.1',
      ...(random.next() < 0.6 ? { Service: service() } : {}),
      ...(random.next() < 0.8 ? { Checks: random.next() < 0.5 ? [check()] : [check(), check()] } : {}),
    },
  });
  const verdict = (): Step => ({
    method: 'PUT',
    url: `/v1/internal/agent/${of(['n1', 'n2'])}/verdicts`,
    body: {
      HeartbeatMs: 60_000,
      Verdicts: [
        {
          Namespace: 'default',
          CheckID: of(['c0', 'c1', 'c2']),
          Status: of(['passing', 'critical']),
          Output: of(['', 'v']),
        },
      ],
    },
  });
  const deregister = (): Step => ({
    method: 'PUT',
    url: '/v1/catalog/deregister',
    body: { Node: of(NODES), ...of([{ CheckID: of(['c0', 'c1', 'c2']) }, { ServiceID: of(['s0', 's1']) }, {}]) },
  });
  const guarded = () => ({
    Check: {
      Verb: of(['cas', 'delete-cas']),
      Check: { Node: of(['n1', 'n2']), ...check(), ModifyIndex: of([SHOWN_INDEX, SHOWN_INDEX, 1]) },
    },
  });
  const txn = (): Step => ({
    method: 'PUT',
    url: '/v1/txn',
    body: [
      { Check: { Verb: of(['set', 'set', 'get', 'delete']), Check: { Node: of(['n1', 'n2']), ...check() } } },
      ...(random.next() < 0.5 ? [guarded()] : []),
      { Check: { Verb: of(['set', 'get']), Check: { Node: of(['n1', 'n2']), ...check() } } },
    ],
  });
  const session = (): Step => ({
    method: 'PUT',
    url: '/v1/session/create',
    body: { Node: of(['n1', 'n2']), Checks: [of(['c0', 'c1'])], LockDelay: '0s' },
  });
  const kinds = [register, register, register, verdict, verdict, deregister, txn, session];
  return Array.from({ length: STEPS }, () => of(kinds)());
}

async function keysOf(store: Store, segment: string): Promise<number> {
  return (await store.read(EVERYTHING)).entries.filter(({ key }) => key.includes(`/${segment}/`)).length;
}

describe('a catalog with packed records', () => {
  it.each(Array.from({ length: RUNS }, (_, run) => run + 1))(
    'answers as one with plain records, seed %d',
    async (seed) => {
      const [packed, plain] = [new Subject(openMemoryStore()), new Subject(sharedStore(openMemoryStore()))];
      const both = [packed, plain];
      let within = 0;
      for (const [at, step] of randomSteps(seed).entries()) {
        if (at % RESTART_EVERY === 0) for (const subject of both) await subject.restart();
        const [ours, theirs] = await Promise.all(both.map((subject) => subject.answer(step)));
        expect({ at, step, answer: idless(ours) }).toEqual({ at, step, answer: idless(theirs) });
        const [shows, wanted] = await Promise.all(both.map((subject) => subject.shown()));
        expect({ at, step, shows }).toEqual({ at, step, shows: wanted });
        const sessions = await Promise.all(
          both.map(async ({ server }) => (await server.get<[]>('/v1/session/list')).json),
        );
        expect({ at, step, sessions: sessions[0]!.length }).toEqual({ at, step, sessions: sessions[1]!.length });
        const [fewer, more] = await Promise.all(both.map(({ store }) => keysOf(store, 'check-state')));
        expect(fewer).toBeLessThanOrEqual(more!);
        within += more! - fewer!;
      }
      // States did lie in definitions.
      expect(within).toBeGreaterThan(0);
      const restored = new Subject(openMemoryStore());
      await restored.restart();
      await restored.server.restore(await packed.server.archive());
      const [after, before] = [await restored.shown(), await packed.shown()] as { bodies: unknown }[];
      expect(after!.bodies).toEqual(before!.bodies);
      for (const { server } of [...both, restored]) await server.stop();
    },
    60_000,
  );

  it('gives archives that a server which may share its store with older ones refuses', async () => {
    const [packed, plain] = [new Subject(openMemoryStore()), new Subject(sharedStore(openMemoryStore()))];
    for (const subject of [packed, plain]) await subject.restart();
    await packed.server.register({ Node: 'n', Address: '10.0.0.1', Check: { CheckID: 'c', Status: 'passing' } });
    const restoring = plain.server.restore(await packed.server.archive());
    await expect(restoring).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('packed records'),
    });
    const back = packed.server.restore(await plain.server.archive());
    expect((await back).status ?? 200).toBe(200);
    for (const { server } of [packed, plain]) await server.stop();
  });
});

/** The id of a session is the only text of its kind in an answer. */
function idless(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer).replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'id'));
}
