import { FakeClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom } from '../../core/random.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Store, Txn } from '../../store/store.ts';
import { RevisionGate } from '../catalog/revision-gate.ts';
import { ElectedLeadership } from './elected-leadership.ts';

/** Of the slowest that may lead after a silence: the silence, its spread and a few ticks. */
const TAKE_OVER_MS = 2600;

interface Server {
  readonly name: string;
  readonly leadership: ElectedLeadership;
  /** Its commits fail, as with a store that is out of reach. */
  cut: boolean;
  /** How long its commits take. */
  slowMs: number;
  stop(): Promise<void>;
}

class Cluster {
  readonly clock = new FakeClock();
  readonly store = openMemoryStore();
  readonly servers: Server[] = [];

  start(name: string): Server {
    const { clock, store } = this;
    const gate = new RevisionGate();
    const controller = new AbortController();
    const server = { cut: false, slowMs: 0 } as { cut: boolean; slowMs: number } & Server;
    const seen: Pick<Store, 'barrier' | 'commit' | 'read' | 'revision' | 'watch'> = {
      barrier: () => store.barrier(),
      read: (range) => store.read(range),
      revision: () => store.revision(),
      watch: (range, after, signal) => store.watch(range, after, signal),
      commit: async (txn: Txn) => {
        if (server.cut) throw new Error('out of reach');
        const result = await store.commit(txn);
        if (server.slowMs > 0) await clock.sleep(server.slowMs);
        gate.advance(result.revision);
        return result;
      },
    };
    const leadership = new ElectedLeadership(
      {
        store: seen,
        gate,
        state: { loaded: true },
        clock,
        random: new SeededRandom(this.servers.length + 1),
        log: silentLogger,
        metrics: new Metrics(),
      },
      { id: name, name, address: `${name}:8300` },
    );
    const done = leadership.run({ signal: controller.signal, ready: () => {} });
    const stop = async () => {
      controller.abort();
      await clock.advance(200);
      await done;
    };
    this.servers.push(Object.assign(server, { name, leadership, stop }));
    return server;
  }

  leaders(): Server[] {
    return this.servers.filter(({ leadership }) => leadership.leads());
  }

  async end(): Promise<void> {
    for (const { stop } of this.servers) await stop();
    await this.store.close();
  }

  /** Moves time in small steps, in each of which at most one may lead. */
  async pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 50) {
      await this.clock.advance(50);
      expect(this.leaders().length).toBeLessThanOrEqual(1);
    }
  }
}

describe('elected leadership', () => {
  let cluster: Cluster;
  beforeEach(() => {
    cluster = new Cluster();
  });
  afterEach(() => cluster.end());

  it('gives one of several servers the lead, which all of them know', async () => {
    const servers = ['a', 'b', 'c'].map((name) => cluster.start(name));
    await cluster.pass(500);
    const [leader] = cluster.leaders();
    const { address } = leader!.leadership.leader()!;
    expect(servers.map(({ leadership }) => leadership.leader()?.address)).toEqual([address, address, address]);
    await cluster.pass(10_000);
    expect(cluster.leaders()).toEqual([leader]);
  });

  it('passes on when the leader is cut off, and the one before finds out by its own clock', async () => {
    const servers = ['a', 'b'].map((name) => cluster.start(name));
    await cluster.pass(500);
    const [first] = cluster.leaders();
    first!.cut = true;
    await cluster.pass(TAKE_OVER_MS + 1500);
    const [second] = cluster.leaders();
    expect(second).toBe(servers.find((server) => server !== first));
    expect(() => first!.leadership.fence()).toThrow('No cluster leader');
    first!.cut = false;
    await cluster.pass(2000);
    expect(cluster.leaders()).toEqual([second]);
    expect(first!.leadership.leader()?.id).toBe(second!.leadership.leader()?.id);
  });

  it.each([
    ['the first one leads on', false],
    ['another one takes over while the first is still cut off', true],
  ])('tells those who wait for a leader as soon as it counts again after a silence: %s', async (_, stillCut) => {
    const servers = ['a', 'b', 'c'].map((name) => cluster.start(name));
    await cluster.pass(500);
    const [first] = cluster.leaders();
    for (const server of servers) server.cut = true;
    await cluster.pass(10_000);
    const { clock } = cluster;
    const found = servers.map(async ({ leadership }) => {
      while (!leadership.leader()) await leadership.changed(60_000);
      return clock.monotonic();
    });
    const from = clock.monotonic();
    for (const server of servers) server.cut = stillCut && server === first;
    await cluster.pass(2000);
    expect(cluster.leaders()).toHaveLength(1);
    for (const at of await Promise.all(found)) expect(at - from).toBeLessThan(2000);
  });

  it('tells those who wait as soon as a leader is sure of itself whose election took long', async () => {
    const server = cluster.start('a');
    const { clock } = cluster;
    server.slowMs = 2000;
    const found = (async () => {
      while (!server.leadership.leads()) await server.leadership.changed(60_000);
      return clock.monotonic();
    })();
    await cluster.pass(500);
    server.slowMs = 0;
    await cluster.pass(3000);
    expect(await found).toBeLessThan(2500);
  });

  it('lets a commit of a deposed leader fail by its fence', async () => {
    cluster.start('a');
    await cluster.pass(500);
    const [compare] = cluster.leaders()[0]!.leadership.fence();
    const taken = await cluster.store.commit({
      compares: [],
      ops: [
        {
          kind: 'put',
          key: (compare as { key: string }).key,
          value: Buffer.from('{"id":"x","name":"x","address":"x:1","epoch":9}'),
        },
      ],
    });
    const result = await cluster.store.commit({
      compares: [compare!],
      ops: [{ kind: 'put', key: 'catalog/x', value: Buffer.from('') }],
    });
    expect(result).toEqual({ ok: false, revision: taken.revision, failedCompare: 0 });
    await cluster.pass(100);
    expect(cluster.leaders()).toEqual([]);
  });

  it('passes on at once when the leader stops of its own accord', async () => {
    const servers = ['a', 'b'].map((name) => cluster.start(name));
    await cluster.pass(500);
    const [first] = cluster.leaders();
    await first!.stop();
    await cluster.pass(300);
    expect(cluster.leaders()).toEqual(servers.filter((server) => server !== first));
  });

  it('passes to the one that the leader names, and to any when that one does not take it', async () => {
    const servers = ['a', 'b', 'c'].map((name) => cluster.start(name));
    await cluster.pass(500);
    const [first] = cluster.leaders();
    const third = servers.filter((server) => server !== first)[1]!;
    await first!.leadership.resign(third.name);
    await cluster.pass(300);
    expect(cluster.leaders()).toEqual([third]);
    await third.leadership.resign('nobody');
    await cluster.pass(1000);
    expect(cluster.leaders()).toEqual([]);
    await cluster.pass(TAKE_OVER_MS);
    expect(cluster.leaders()).toHaveLength(1);
  });

  it('comes back to a server that starts again under its own name without waiting', async () => {
    const first = cluster.start('a');
    await cluster.pass(500);
    first.cut = true;
    await first.stop();
    cluster.start('a');
    await cluster.pass(300);
    expect(cluster.leaders()).toHaveLength(1);
  });

  it('does not take a pause of its own for a silence of the leader', async () => {
    cluster.start('a');
    await cluster.pass(500);
    cluster.start('b');
    await cluster.pass(1000);
    const [leader] = cluster.leaders();
    // Both processes were stopped for a minute; the leader is sure of itself again only after a commit.
    await cluster.clock.stall(60_000);
    await cluster.pass(3000);
    expect(cluster.leaders()).toEqual([leader]);
  });

  it('tells how long nothing was heard of the leader', async () => {
    const servers = ['a', 'b'].map((name) => cluster.start(name));
    await cluster.pass(1000);
    const [leader] = cluster.leaders();
    const other = servers.find((server) => server !== leader)!;
    expect(leader!.leadership.lastContactMs()).toBe(0);
    expect(other.leadership.lastContactMs()).toBeLessThanOrEqual(500);
    for (const server of servers) server.cut = true;
    await cluster.pass(8000);
    expect(other.leadership.lastContactMs()).toBeGreaterThan(1000);
    expect(servers.map(({ leadership }) => leadership.leader())).toEqual([undefined, undefined]);
  });
});
