import { Agent, request } from 'undici';
import type { Session } from '../../api/shapes/session.ts';
import { eventually } from '../support/eventually.ts';
import { Outcomes } from '../support/outcomes.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';

const WRITERS = 64;
const ROUNDS = Number(process.env.LICTOR_API_KILLS ?? 2);

interface CatalogService {
  ServiceID: string;
  ServicePort: number;
}

interface Pair {
  Key: string;
  Value: string | null;
  Session?: string;
}

/** Whose indexes must never fall, over all rounds. */
const WATCHED = [
  '/v1/catalog/services',
  '/v1/catalog/nodes',
  '/v1/health/service/svc-0',
  '/v1/health/state/any',
  '/v1/kv/?recurse',
  '/v1/kv/w/3/0',
  '/v1/session/list',
  '/v1/session/node/server-1',
];

let server: AgentProcess;
let pool: Agent;
const outcomes = new Outcomes();
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server.stop();
});

async function put(path: string, body: unknown): Promise<string> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await request(`${server.url}${path}`, { method: 'PUT', body: text, dispatcher: pool });
  const got = await answer.body.text();
  if (answer.statusCode !== 200 || got.trim() === 'false')
    throw new Refused(`PUT ${path}: ${answer.statusCode} ${got}`);
  return got;
}
class Refused extends Error {}

/** One writer's requests, one after the other, each on keys that are its own. */
class Writer {
  readonly #at: number;
  /** Sessions that hold a lock, oldest first: the session's name and id, and the key. */
  readonly #locks: { name: string; id: string; key: string }[] = [];
  #n = 0;

  constructor(at: number) {
    this.#at = at;
  }

  async run(running: () => boolean): Promise<void> {
    const turns = [this.#register, this.#set, this.#lock, this.#declare, this.#unset, this.#release];
    // Each begins elsewhere, so that every kind of request is under way at any time.
    while (running()) {
      this.#n += 1;
      await turns[(this.#n + this.#at) % turns.length]!.call(this);
    }
  }

  async #register(): Promise<void> {
    const id = `${this.#at}-${this.#n % 12}`;
    await outcomes.write({ [`service ${id}`]: `${this.#n}`, [`check ${id}`]: `${this.#n}` }, () =>
      put('/v1/catalog/register', {
        Node: `node-${this.#at % 8}`,
        Address: '10.0.0.1',
        Service: { ID: id, Service: `svc-${this.#at % 4}`, Port: this.#n },
        Check: { CheckID: id, Name: 'c', ServiceID: id, Status: 'passing', Notes: `${this.#n}` },
      }),
    );
  }

  async #unset(): Promise<void> {
    const id = `${this.#at}-${(this.#n + 3) % 12}`;
    await outcomes.write({ [`service ${id}`]: undefined, [`check ${id}`]: undefined }, () =>
      put('/v1/catalog/deregister', { Node: `node-${this.#at % 8}`, ServiceID: id }),
    );
  }

  async #set(): Promise<void> {
    const key = `w/${this.#at}/${this.#n % 18}`;
    await outcomes.write({ [`key ${key}`]: `${this.#n}` }, () => put(`/v1/kv/${key}`, `${this.#n}`));
  }

  /** Through the agent, whose state is durable as well. */
  async #declare(): Promise<void> {
    const ID = `agent-${this.#at}-${this.#n % 12}`;
    await outcomes.write({ [`declared ${ID}`]: `${this.#n}` }, () =>
      put('/v1/agent/service/register', { ID, Name: 'declared', Port: this.#n }),
    );
  }

  async #lock(): Promise<void> {
    const name = `${this.#at}.${this.#n}`;
    const body = { Name: name, NodeChecks: [], LockDelay: '0s' };
    const made = await outcomes.write({ [`session ${name}`]: '' }, () => put('/v1/session/create', body));
    const { ID: id } = JSON.parse(made) as { ID: string };
    const key = `l/${this.#at}/${this.#n}`;
    await outcomes.write({ [`key ${key}`]: name, [`holder ${key}`]: name }, () =>
      put(`/v1/kv/${key}?acquire=${id}`, name),
    );
    this.#locks.push({ name, id, key });
  }

  /** Ends the second oldest, so that some stay held. */
  async #release(): Promise<void> {
    if (this.#locks.length < 2) return;
    const { name, id, key } = this.#locks.splice(1, 1)[0]!;
    await outcomes.write({ [`session ${name}`]: undefined, [`holder ${key}`]: undefined }, () =>
      put(`/v1/session/destroy/${id}`, ''),
    );
  }
}

/** Everything that the server has of what the writers write, by the writers' names for it. */
async function found(): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  const sessions = new Map((await server.get<Session[]>('/v1/session/list')).map(({ ID, Name }) => [ID, Name]));
  for (const name of sessions.values()) all.set(`session ${name}`, '');
  for (const { Key, Value, Session } of await server.get<Pair[]>('/v1/kv/?recurse')) {
    all.set(`key ${Key}`, Buffer.from(Value ?? '', 'base64').toString());
    if (Session) all.set(`holder ${Key}`, sessions.get(Session) ?? `the session ${Session}, which is not there`);
  }
  for (const n of [0, 1, 2, 3]) {
    for (const { ServiceID, ServicePort } of await server.get<CatalogService[]>(`/v1/catalog/service/svc-${n}`)) {
      all.set(`service ${ServiceID}`, `${ServicePort}`);
    }
    for (const { CheckID, Notes } of await server.get<{ CheckID: string; Notes: string }[]>(
      `/v1/health/checks/svc-${n}`,
    )) {
      all.set(`check ${CheckID}`, Notes);
    }
  }
  const declared = await server.get<Record<string, { Port: number }>>('/v1/agent/services');
  for (const [id, { Port }] of Object.entries(declared)) all.set(`declared ${id}`, `${Port}`);
  return all;
}

const highest = new Map<string, number>();
async function readIndexes(): Promise<void> {
  for (const path of WATCHED) {
    const answer = await request(`${server.url}${path}`, { dispatcher: pool });
    await answer.body.dump();
    const index = Number(answer.headers['x-consul-index']);
    if (!(index >= (highest.get(path) ?? 0))) throw new Refused(`${path}: index ${index} after ${highest.get(path)}`);
    highest.set(path, index);
  }
}

describe('a server with 64 writers of services, keys, sessions and locks', () => {
  it(`has all that it acknowledged after kill -9, ${ROUNDS} times, and its indexes never fall`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      pool = new Agent({ connections: WRITERS + 1 });
      let running = true;
      const refused: string[] = [];
      const untilKilled = async (loop: () => Promise<void>): Promise<void> => {
        try {
          await loop();
        } catch (error) {
          if (error instanceof Refused) refused.push(error.message);
        }
      };
      const before = outcomes.size;
      const loops = Array.from({ length: WRITERS }, (_, at) =>
        untilKilled(() => new Writer(round * WRITERS + at).run(() => running)),
      );
      const reader = untilKilled(async () => {
        while (running) await readIndexes();
      });
      await eventually(() => outcomes.size > before + 1500, { withinMs: 60_000, what: 'writes' });
      await server.kill();
      running = false;
      await Promise.all([...loops, reader]);
      await pool.destroy();
      expect(refused).toEqual([]);

      pool = new Agent({ connections: 1 });
      await server.restart();
      expect(outcomes.settle(await found())).toEqual([]);
      await readIndexes();
      await pool.destroy();
    }
    const names = async (path: string) => (await server.get<CatalogService[]>(path)).map(({ ServiceID }) => ServiceID);
    const declared = Object.keys(await server.get<object>('/v1/agent/services'));
    await eventually(
      async () => expect((await names('/v1/catalog/service/declared')).sort()).toEqual(declared.sort()),
      { withinMs: 30_000 },
    );
    await keepsLocks();
  }, 300_000);
});

/** Locks that were held before still are, until their session ends; then they are free. */
async function keepsLocks(): Promise<void> {
  pool = new Agent({ connections: 1 });
  const held = (await server.get<Pair[]>('/v1/kv/l/?recurse')).filter((pair) => pair.Session).slice(0, 20);
  expect(held.length).toBe(20);
  const { ID } = JSON.parse(await put('/v1/session/create', { NodeChecks: [] })) as { ID: string };
  for (const { Key, Session } of held) {
    await expect(put(`/v1/kv/${Key}?acquire=${ID}`, '')).rejects.toThrow('200 false');
    await put(`/v1/session/destroy/${Session}`, '');
    await put(`/v1/kv/${Key}?acquire=${ID}`, '');
  }
  await pool.destroy();
}
