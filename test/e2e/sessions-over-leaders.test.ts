import { setTimeout as after } from 'node:timers/promises';
import { INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { describeReal } from '../support/require-real.ts';
import { acquire, ask, createSession, leaderOf } from '../support/session-client.ts';

const SOON = { withinMs: 60_000 };
const TTL_MS = 2000;
/** A session lives twice its time to live. */
const LIFE_MS = 2 * TTL_MS;
const LOCK_DELAY_MS = 5000;
/** Ten times what an election takes. */
const LATE_MS = 30_000;
const MANY = 5000;
const PER_TXN = 60;

/** What one reader has seen of a key, each change once. */
class KeyWatcher {
  /** `holder`: undefined when nobody holds it, `absent` when there is no such key. */
  readonly seen: { readonly holder: string | undefined; readonly index: number; readonly atMs: number }[] = [];
  #over = false;
  readonly #done: Promise<void>;

  constructor(server: AgentProcess, key: string, more = '') {
    this.#done = this.#run(server, key, more);
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#done;
  }

  get holders(): (string | undefined)[] {
    return this.seen.map(({ holder }) => holder);
  }

  async #run(server: AgentProcess, key: string, more: string): Promise<void> {
    let index = 0;
    while (!this.#over) {
      const answer = await ask(server, 'GET', `/v1/kv/${key}?index=${index}&wait=500ms${more}`).catch(() => undefined);
      if (answer?.status !== 200 && answer?.status !== 404) {
        // Without a leader, or the server is gone.
        await after(20);
        continue;
      }
      index = answer.index;
      const [row] =
        answer.status === 404 ? [] : (JSON.parse(answer.text) as [{ Session?: string; ModifyIndex: number }]);
      const holder = row ? row.Session : 'absent';
      const last = this.seen.at(-1);
      if (last && last.holder === holder && last.index === (row?.ModifyIndex ?? 0)) continue;
      this.seen.push({ holder, index: row?.ModifyIndex ?? 0, atMs: performance.now() });
    }
  }
}

describeReal('etcd', INSTALLED_ETCD.file !== undefined, INSTALLED_ETCD.install, 'sessions of three servers', () => {
  let cluster: EtcdCluster;
  let servers: AgentProcess[];

  beforeAll(async () => {
    cluster = await EtcdCluster.start({ file: INSTALLED_ETCD.file!, members: 3 });
    const args = [`-etcd-endpoints=${cluster.endpoints.join(',')}`, '-hcl=session_ttl_min = "1s"'];
    servers = await Promise.all([1, 2, 3].map((n) => startServer({ node: `server-${n}`, args })));
    await leaderOf(servers);
  }, 180_000);
  // What a failed test has left.
  afterEach(async () => {
    for (const server of servers) {
      server.resume();
      if (!server.process.running) await server.restart();
    }
  }, 60_000);
  afterAll(async () => {
    await Promise.all((servers ?? []).map((server) => server.stop()));
    await cluster?.stop();
  }, 60_000);

  const LOSSES = {
    killed: { lose: (leader) => leader.kill(), back: (leader) => leader.restart() },
    paused: { lose: async (leader) => leader.pause(), back: async (leader) => leader.resume() },
    'handing on': {
      lose: async (leader) => {
        expect((await ask(leader, 'POST', '/v1/operator/raft/transfer-leader')).status).toBe(200);
      },
      back: async () => {},
    },
  } satisfies Record<string, Record<'lose' | 'back', (leader: AgentProcess) => Promise<void>>>;

  /** Leaves the others with a new leader; gives them and how to bring the old one back. */
  async function lose(how: keyof typeof LOSSES): Promise<{ others: AgentProcess[]; back: () => Promise<void> }> {
    const leader = await leaderOf(servers);
    const others = servers.filter((server) => server !== leader);
    await LOSSES[how].lose(leader);
    await leaderOf(others);
    return { others, back: () => LOSSES[how].back(leader) };
  }

  it.each(Object.keys(LOSSES) as (keyof typeof LOSSES)[])(
    'end once, after their time, and keep their lock delays, when the leader is lost (%s)',
    async (how) => {
      const first = await leaderOf(servers);
      const [other] = servers.filter((server) => server !== first);
      const TTL = `${TTL_MS}ms`;
      const [lock, gone] = [`${how}/lock`, `${how}/gone`].map((key) => encodeURI(key)) as [string, string];
      const holder = await createSession(other!, { TTL, LockDelay: `${LOCK_DELAY_MS}ms` });
      const deleter = await createSession(other!, { TTL, Behavior: 'delete' });
      const lasting = await createSession(other!, { TTL: '5s' });
      const waiter = await createSession(other!, {});
      expect([await acquire(other!, lock, holder), await acquire(other!, gone, deleter)]).toEqual([true, true]);
      const watchers = servers.flatMap((server) => [lock, gone].map((key) => new KeyWatcher(server, key, '&stale')));
      const [ofLock, ofGone] = [new KeyWatcher(other!, lock), new KeyWatcher(other!, gone)];
      for (const id of [holder, deleter])
        expect((await ask(other!, 'PUT', `/v1/session/renew/${id}`)).status).toBe(200);
      const renewedMs = performance.now();

      // Renewed by its client at whichever server answers, it must live through all of this.
      let renewing = true;
      const renewals: number[] = [];
      const renewer = (async () => {
        for (let n = 0; renewing; n++) {
          const answer = await ask(servers[n % 3]!, 'PUT', `/v1/session/renew/${lasting}`).catch(() => undefined);
          if (answer) renewals.push(answer.status);
          await after(200);
        }
      })();

      await after(TTL_MS);
      const { others, back } = await lose(how);
      const ledMs = performance.now();
      await eventually(() => ofLock.holders.includes(undefined) && ofGone.holders.includes('absent'), SOON);
      // The first that saw it: some wait for an answer of the leader that is lost.
      const ends = [undefined, 'absent'].map((holder) => {
        const times = watchers.map(({ seen }) => seen.find((one) => one.holder === holder)?.atMs ?? Infinity);
        return Math.min(...times);
      }) as [number, number];
      for (const atMs of ends) {
        expect(atMs - renewedMs).toBeGreaterThan(LIFE_MS);
        expect(atMs - ledMs).toBeLessThan(LIFE_MS + LATE_MS);
      }
      for (const id of [holder, deleter]) {
        const renewed = await ask(others[0]!, 'PUT', `/v1/session/renew/${id}`);
        expect([renewed.status, renewed.text]).toEqual([404, `Session id '${id}' not found`]);
      }

      // Nobody gets the key before its delay is over, also from the next leader.
      await back();
      await eventually(() => servers[0]!.get('/v1/kv/?keys&separator=/'), SOON);
      const next = await lose(how === 'paused' ? 'killed' : how);
      const acquired = await eventually(async () => {
        const got = await acquire(next.others[0]!, lock, waiter);
        const atMs = performance.now();
        if (!got) throw new Error('not yet');
        return atMs;
      }, SOON);
      // It was seen a little after it was.
      expect(acquired - ends[0]).toBeGreaterThan(LOCK_DELAY_MS - 1000);
      await next.back();
      renewing = false;
      await renewer;
      // Without a leader there are other answers; that it is gone is none of them.
      expect(renewals).toContain(200);
      expect(renewals).not.toContain(404);

      await eventually(async () => {
        for (const watcher of watchers) expect(watcher.holders.at(-1)).toMatch(new RegExp(`^(${waiter}|absent)$`));
      }, SOON);
      await Promise.all([...watchers, ofLock, ofGone].map((watcher) => watcher.stop()));
      for (const watcher of [...watchers, ofLock, ofGone]) {
        const { holders } = watcher;
        expect([
          [holder, undefined, waiter],
          [deleter, 'absent'],
        ]).toContainEqual(holders);
      }
      // One end: all have seen the same index of it.
      const indexes = [...watchers, ofLock].flatMap(({ seen }) => seen.filter((one) => one.holder === undefined));
      expect(new Set(indexes.map(({ index }) => index)).size).toBe(1);
    },
    180_000,
  );

  it.each(['release', 'delete'])(
    'with 5,000 keys end whole when the leader is killed in the middle (%s)',
    async (Behavior) => {
      const leader = await leaderOf(servers);
      const others = servers.filter((server) => server !== leader);
      const id = await createSession(others[0]!, { Behavior });
      const keys = Array.from({ length: MANY }, (_, n) => `whole-${Behavior}/${n}`);
      for (let at = 0; at < MANY; at += PER_TXN) {
        const ops = keys
          .slice(at, at + PER_TXN)
          .map((Key) => ({ KV: { Verb: 'lock', Key, Session: id, Value: 'dg==' } }));
        const answer = await ask(leader, 'PUT', '/v1/txn', ops);
        expect([answer.status, answer.text.slice(0, 9)]).toEqual([200, '{"Results']);
      }
      const left = Behavior === 'delete' ? 0 : MANY;
      let reading = true;
      const counts = servers.flatMap((server) =>
        ['', '&stale'].map((more) => ({ server, more, seen: [] as string[] })),
      );
      const readers = counts.map(async ({ server, more, seen }) => {
        while (reading) {
          const path = `/v1/kv/whole-${Behavior}/?recurse${more}`;
          const answer = await ask(server, 'GET', path).catch(() => undefined);
          if (answer?.status === 200 || answer?.status === 404) {
            const rows = answer.status === 404 ? [] : (JSON.parse(answer.text) as { Session?: string }[]);
            const count = `${rows.length} keys, ${rows.filter(({ Session }) => Session === id).length} held`;
            if (seen.at(-1) !== count) seen.push(count);
          } else await after(20);
        }
      });
      const other = await createSession(others[0]!, {});
      await eventually(() => counts.every(({ seen }) => seen.length > 0), SOON);
      expect((await ask(others[0]!, 'PUT', `/v1/session/destroy/${id}`)).text.trim()).toBe('true');
      await leader.kill();
      await leaderOf(others);
      expect(await acquire(others[0]!, keys[0]!, other)).toBe(false);
      expect(await acquire(others[0]!, keys[MANY - 1]!, other)).toBe(false);
      await eventually(() => counts.every(({ server, seen }) => server === leader || seen.length > 1), SOON);
      await leader.restart();
      const next = await leaderOf(servers);
      await eventually(async () => {
        const { text } = await ask(next, 'GET', '/v1/agent/metrics?format=prometheus');
        expect(text).toMatch(/^lictor_sessions_ending 0$/m);
      }, SOON);
      reading = false;
      await Promise.all(readers);
      const [before, afterwards] = [`${MANY} keys, ${MANY} held`, `${left} keys, 0 held`];
      for (const { seen } of counts) expect([[before, afterwards], [before]]).toContainEqual(seen);
      expect(counts.filter(({ seen }) => seen.length === 2).length).toBeGreaterThanOrEqual(4);
    },
    180_000,
  );
});
