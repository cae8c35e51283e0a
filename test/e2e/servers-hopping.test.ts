import { setTimeout as after } from 'node:timers/promises';
import { INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { SplitCluster, serverHost } from '../support/etcd/split-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { CAN_HAVE_NETWORK, NETWORK_NEEDS } from '../support/network/broken-network.ts';
import type { AgentProcess } from '../support/processes/lictor.ts';
import { describeReal } from '../support/require-real.ts';

const SOON = { withinMs: 60_000 };
/** A query that waits for it to end was not woken. */
const LONG = '300s';
const AT_ONCE_MS = 30_000;
/** Less than a query is held whose index a server does not know yet (api/blocking-query.ts). */
const CUT_MS = 3000;

/** Each shows `thing` as long as that is there. */
const QUESTIONS = [
  '/v1/catalog/services?',
  '/v1/catalog/service/thing?',
  '/v1/catalog/node/thing-node?',
  '/v1/catalog/nodes?',
  '/v1/health/service/thing?',
  '/v1/health/node/thing-node?',
  '/v1/health/state/any?',
  '/v1/kv/hop/thing?',
  '/v1/kv/hop/?recurse&',
  '/v1/kv/hop/?keys&',
];
const ASKED = QUESTIONS.flatMap((question) => [question, `${question}stale&`]);

/** A client of one question. Its index never falls, wherever it asks; it checks that itself. */
class Client {
  readonly #question: string;
  index = 0;

  constructor(question: string) {
    this.#question = question;
  }

  /** Waits for news at a server; whether it shows the thing, and how long that took. */
  async ask(server: AgentProcess, wait: string): Promise<{ question: string; shows: boolean; ms: number }> {
    const begun = performance.now();
    const url = `${server.url}${this.#question}index=${this.index}&wait=${wait}`;
    const response = await fetch(url, { signal: AbortSignal.timeout(120_000) });
    const text = await response.text();
    if (response.status !== 200 && response.status !== 404) throw new Error(`${response.status} ${text}`);
    const index = Number(response.headers.get('x-consul-index'));
    if (!(index >= this.index && index > 0)) {
      throw new Error(`${this.#question}: the index fell from ${this.index} to ${index} at ${server.name}`);
    }
    this.index = index;
    return { question: this.#question, shows: text.includes('thing'), ms: performance.now() - begun };
  }
}

async function write(server: AgentProcess, method: string, path: string, body?: object): Promise<void> {
  await eventually(async () => {
    const response = await fetch(`${server.url}${path}`, {
      method,
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(30_000),
    });
    expect(await response.text()).toMatch(/true/);
  }, SOON);
}

async function add(server: AgentProcess): Promise<void> {
  const Check = { Node: 'thing-node', CheckID: 'thing-check', Name: 'thing', Status: 'passing' };
  const Service = { ID: 'thing-1', Service: 'thing', Port: 80 };
  await write(server, 'PUT', '/v1/catalog/register', { Node: 'thing-node', Address: '10.9.9.9', Service, Check });
  await write(server, 'PUT', '/v1/kv/hop/thing', {});
}

async function remove(server: AgentProcess): Promise<void> {
  await write(server, 'PUT', '/v1/catalog/deregister', { Node: 'thing-node' });
  await write(server, 'DELETE', '/v1/kv/hop/thing');
}

const there = INSTALLED_ETCD.file !== undefined && CAN_HAVE_NETWORK;
describeReal(
  'etcd',
  there,
  `${INSTALLED_ETCD.install}; ${NETWORK_NEEDS}`,
  'a client that moves between servers',
  () => {
    let cluster: SplitCluster;
    /** The leader, and the server that the client moves to. */
    let a: AgentProcess;
    let b: AgentProcess;
    let bHost: number;
    let clients: Client[];

    beforeAll(async () => {
      cluster = await SplitCluster.start(INSTALLED_ETCD.file!);
    }, 180_000);
    afterAll(() => cluster?.stop(), 60_000);

    beforeEach(async () => {
      const at = await cluster.on.leader();
      const to = cluster.on.others(at)[0]!;
      [a, b, bHost] = [cluster.servers[at]!, cluster.servers[to]!, serverHost(to)];
      await add(a);
      clients = ASKED.map((question) => new Client(question));
      for (const client of clients) expect(await client.ask(a, LONG)).toMatchObject({ shows: true });
    }, 120_000);

    /** All ask at once and are answered long before their wait is over. */
    const expectAll = async (server: AgentProcess, shows: boolean) => {
      const answers = await Promise.all(clients.map((client) => client.ask(server, LONG)));
      for (const answer of answers) {
        expect(answer).toMatchObject({ question: answer.question, shows });
        expect(answer.ms).toBeLessThan(AT_ONCE_MS);
      }
    };

    it.each([
      ['', false],
      [', and etcd has forgotten the change', true],
    ])(
      'sees at once what was deleted while the other one was down%s; its indexes never fall',
      async (_, compacted) => {
        await b.kill();
        await remove(a);
        if (compacted) await cluster.on.etcd.compact();
        await b.restart({ waitUntilReady: false });
        // Its first answer must be right.
        await Promise.all(
          clients.map((client) =>
            eventually(async () => {
              const answer = await client.ask(b, LONG).catch((error: Error) => {
                if (/fell/.test(error.message)) return error;
                throw error;
              });
              return answer;
            }, SOON).then((answer) => expect(answer).toMatchObject({ shows: false })),
          ),
        );
        for (const client of clients) expect(await client.ask(a, '10ms')).toMatchObject({ shows: false });
        const waiting = expectAll(b, true);
        await add(a);
        await waiting;
        for (const client of clients) expect(await client.ask(a, '10ms')).toMatchObject({ shows: true });
      },
      240_000,
    );

    it.each([
      ['', false],
      [', and etcd has forgotten the change', true],
    ])(
      'waits at a server that lags for what it has seen elsewhere%s; those who wait there are woken',
      async (_, compacted) => {
        const everywhere = [0, 1, 2, ...cluster.servers.map((__, n) => serverHost(n))].filter((host) => host !== bHost);
        await cluster.network.bothWays([bHost], everywhere, { loss: 1 });
        const waiting = clients.filter((__, n) => ASKED[n]!.includes('stale')).map((client) => client.ask(b, LONG));
        await remove(a);
        if (compacted) await cluster.on.etcd.compact();
        const ahead = ASKED.map((question) => new Client(question));
        for (const client of ahead) expect(await client.ask(a, LONG)).toMatchObject({ shows: false });
        // B knows nothing of their indexes yet.
        const moved = ahead.filter((__, n) => ASKED[n]!.includes('stale')).map((client) => client.ask(b, '5s'));
        await after(CUT_MS);
        await cluster.network.heal();
        for (const answer of await Promise.all(waiting)) {
          expect(answer).toMatchObject({ question: answer.question, shows: false });
          expect(answer.ms).toBeLessThan(CUT_MS + AT_ONCE_MS);
        }
        for (const answer of await Promise.all(moved)) {
          expect(answer).toMatchObject({ question: answer.question, shows: false });
        }
        await eventually(async () => {
          for (const client of ahead) expect(await client.ask(b, '10ms')).toMatchObject({ shows: false });
        }, SOON);
      },
      240_000,
    );
  },
);
