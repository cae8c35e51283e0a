import { tmpdir } from 'node:os';
import { request } from 'undici';
import { createHttpServer } from '../../api/http/server.ts';
import type { HealthEntry } from '../../api/shapes/catalog.ts';
import type { RaftServer } from '../../api/shapes/operator.ts';
import { SystemClock } from '../../core/clock.ts';
import { RunGroup } from '../../core/lifecycle.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SystemRandom } from '../../core/random.ts';
import { composeServer } from '../../server/composition.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Store } from '../../store/store.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/processes/free-port.ts';

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}

/** A server with its port, in this process. */
class Server {
  readonly name: string;
  readonly port: number;
  readonly #metrics = new Metrics();
  readonly #abort = new AbortController();
  readonly #done: Promise<void>;

  /** `older` is one to which all goes by HTTP. */
  constructor(store: Store, name: string, port: number, { older = false } = {}) {
    this.name = name;
    this.port = port;
    const metrics = this.#metrics;
    const deps = { clock: new SystemClock(), log: silentLogger, metrics, random: new SystemRandom() };
    const { runnable, routes, upgrades } = composeServer(
      {
        datacenter: 'dc1',
        nodeName: name,
        nodeAddress: '127.0.0.1',
        nodeId: deps.random.uuid(),
        consulVersion: '1.21.4',
        serverPort: port,
        spoolDir: tmpdir(),
        store,
        elected: true,
      },
      deps,
    );
    const http = createHttpServer(deps, { routes, upgrades: older ? [] : upgrades, host: '127.0.0.1', port });
    this.#done = new RunGroup(deps, { name, members: [runnable, http] }).run({
      signal: this.#abort.signal,
      ready: () => {},
    });
    this.#done.catch(() => {});
  }

  async call(method: 'GET' | 'PUT', path: string, body?: unknown): Promise<Answer> {
    const answer = await request(`http://127.0.0.1:${this.port}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
  }

  /** How many writes other servers have handed it on one connection. */
  async tookInFrames(): Promise<number> {
    const line = /lictor_leadership_handed_requests_total\{method="PUT",status="200"\} (\d+)/;
    return Number(line.exec(await this.#metrics.text())?.[1] ?? 0);
  }

  async leader(): Promise<string> {
    return JSON.parse((await this.call('GET', '/v1/status/leader')).text) as string;
  }

  stop(): Promise<void> {
    this.#abort.abort();
    return this.#done;
  }
}

function registration(id: string): object {
  return { Node: 'n1', Address: '10.0.0.1', Service: { ID: id, Service: 'web' } };
}

const ids = (answer: Answer) => (JSON.parse(answer.text) as HealthEntry[]).map(({ Service }) => Service.ID);

describe('servers of one store', () => {
  let store: Store;
  let servers: Server[];

  const parted = async () => {
    const address = await eventually(
      async () => {
        const known = await Promise.all(servers.map((server) => server.leader()));
        expect(known[0]).not.toBe('');
        expect(new Set(known).size).toBe(1);
        return known[0]!;
      },
      { withinMs: 30_000 },
    );
    const leads = (server: Server) => address === `127.0.0.1:${server.port}`;
    return { leader: servers.find(leads)!, others: servers.filter((server) => !leads(server)) };
  };

  beforeEach(async () => {
    store = openMemoryStore();
    const ports = [await freePort(), await freePort(), await freePort()];
    servers = ports.map((port, at) => new Server(store, `server-${at + 1}`, port));
  });
  afterEach(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await store.close();
  });

  it('take writes at any of them, which every other shows at once', async () => {
    const { leader, others } = await parted();
    const [one, two] = others as [Server, Server];
    for (let n = 0; n < 20; n++) {
      expect(await one.call('PUT', '/v1/catalog/register', registration(`web-${n}`))).toMatchObject({ text: 'true' });
      for (const server of [leader, one, two]) {
        expect(ids(await server.call('GET', '/v1/health/service/web'))).toHaveLength(n + 1);
        expect(ids(await server.call('GET', '/v1/health/service/web?consistent'))).toHaveLength(n + 1);
      }
    }
  });

  it.each([
    { leaders: 'that take them on one connection', older: false },
    { leaders: 'of a version that takes them by HTTP', older: true },
  ])('hand on many writes at once, to leaders $leaders', async ({ older }) => {
    if (older) {
      await Promise.all(servers.map((server) => server.stop()));
      servers = await Promise.all([4, 5].map(async (n) => new Server(store, `old-${n}`, await freePort(), { older })));
    }
    const { leader, others } = await parted();
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) => {
        const body = n % 10 === 9 ? { Node: '' } : registration(`web-${n}`);
        return others[n % others.length]!.call('PUT', '/v1/catalog/register', body);
      }),
    );
    for (const [n, { status, text, headers }] of answers.entries()) {
      if (n % 10 !== 9) expect({ status, text }).toEqual({ status: 200, text: 'true' });
      else {
        expect({ status, text }).toEqual({ status: 500, text: 'Must provide node' });
        expect(headers).toMatchObject({ 'x-lictor-error': 'badRequest', 'content-type': 'text/plain; charset=utf-8' });
      }
    }
    expect(ids(await others[0]!.call('GET', '/v1/health/service/web'))).toHaveLength(54);
    // The servers register themselves too.
    if (older) expect(await leader.tookInFrames()).toBe(0);
    else expect(await leader.tookInFrames()).toBeGreaterThanOrEqual(54);
  });

  it('say how they know what they answer', async () => {
    const { leader, others } = await parted();
    const stale = await others[0]!.call('GET', '/v1/catalog/nodes?stale');
    expect(stale.headers).toMatchObject({
      'x-consul-knownleader': 'true',
      'x-consul-effective-consistency': 'stale',
    });
    expect(Number(stale.headers['x-consul-lastcontact'])).toBeLessThan(5000);
    const own = await leader.call('GET', '/v1/catalog/nodes');
    expect(own.headers).toMatchObject({ 'x-consul-lastcontact': '0', 'x-consul-effective-consistency': 'leader' });
    const tooOld = await others[0]!.call('GET', '/v1/catalog/nodes?max_stale=1ns');
    expect(tooOld.status).toBe(200);
  });

  it('wake blocking queries at every server for a change made at another', async () => {
    const { leader, others } = await parted();
    await leader.call('PUT', '/v1/catalog/register', registration('web-1'));
    const { headers } = await others[0]!.call('GET', '/v1/health/service/web');
    const index = headers['x-consul-index'];
    const waiting = servers.flatMap((server) =>
      ['', '&stale'].map((more) => server.call('GET', `/v1/health/service/web?index=${index}&wait=60s${more}`)),
    );
    await others[1]!.call('PUT', '/v1/catalog/register', registration('web-2'));
    for (const answer of await Promise.all(waiting)) expect(ids(answer)).toEqual(['web-1', 'web-2']);
  });

  it('refuse at followers what is wrong, with the same words', async () => {
    const { leader, others } = await parted();
    for (const server of [leader, ...others]) {
      expect(await server.call('GET', '/v1/catalog/nodes?stale&consistent')).toMatchObject({ status: 400 });
      const bad = await server.call('PUT', '/v1/catalog/register', { Node: '' });
      expect(bad).toMatchObject({ status: 500, text: expect.stringContaining('Must provide node') });
    }
  });

  it('list themselves as a quorum, and let another one lead when they are told to', async () => {
    const { leader, others } = await parted();
    const [other] = others as [Server, Server];
    // No agents run beside these servers: their signs of life are sent here.
    const beat = (server: Server) =>
      other.call('PUT', `/v1/internal/agent/${server.name}/verdicts`, { HeartbeatMs: 10_000, Verdicts: [] });
    const raft = await eventually(
      async () => {
        for (const server of servers) expect((await beat(server)).status).toBe(200);
        const answer = await other.call('GET', '/v1/operator/raft/configuration');
        const found = (JSON.parse(answer.text) as { Servers: RaftServer[] }).Servers;
        expect(found).toHaveLength(3);
        return found;
      },
      { withinMs: 60_000 },
    );
    expect(raft.filter(({ Leader }) => Leader)).toMatchObject([{ Address: `127.0.0.1:${leader.port}` }]);
    const health = await other.call('GET', '/v1/operator/autopilot/health');
    expect(JSON.parse(health.text)).toMatchObject({ Healthy: true, FailureTolerance: 1 });
    const dead = (await other.call('PUT', '/v1/catalog/register', {
      Node: 'gone',
      Address: '10.0.0.9',
      Service: { ID: 'consul', Service: 'consul', Port: 8300 },
    })) as Answer;
    expect(dead.status).toBe(200);
    const remove = (address: string) =>
      request(`http://127.0.0.1:${other.port}/v1/operator/raft/peer?address=${address}`, { method: 'DELETE' });
    expect((await remove(`127.0.0.1:${other.port}`)).statusCode).toBe(500);
    expect((await remove('10.0.0.9:8300')).statusCode).toBe(200);
    const to = raft.find(({ Address }) => Address === `127.0.0.1:${other.port}`)!;
    const moved = await request(`http://127.0.0.1:${leader.port}/v1/operator/raft/transfer-leader?id=${to.ID}`, {
      method: 'POST',
    });
    expect([moved.statusCode, await moved.body.text()]).toEqual([200, expect.stringContaining('true')]);
    expect((await parted()).leader).toBe(other);
  });

  it('go on when the leader stops: writes that wait are taken by the next one', async () => {
    const { leader, others } = await parted();
    const [one, two] = others as [Server, Server];
    await one.call('PUT', '/v1/kv/before', 'x');
    servers = others;
    const stopped = leader.stop();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => others[n % 2]!.call('PUT', `/v1/kv/during/${n}`, n)),
    );
    await stopped;
    // Those that were on their way when the leader stopped may be told that nobody knows; what was confirmed is there.
    const done = answers.flatMap((answer, n) => (answer.text === 'true' ? [`during/${n}`] : []));
    const keys = JSON.parse((await two.call('GET', '/v1/kv/during/?keys')).text) as string[];
    expect(keys).toEqual(expect.arrayContaining(done));
    expect((await one.call('PUT', '/v1/kv/after', 'x')).text).toBe('true');
    expect((await two.call('GET', '/v1/kv/before?raw')).status).toBe(200);
  });
});
