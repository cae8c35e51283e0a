import { readdirSync } from 'node:fs';
import type { LeafCertificate } from '../../api/shapes/connect.ts';
import { CURRENT_ETCD } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { LICTOR_BIN } from '../support/processes/run-lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';
import { startTied } from '../support/processes/tied-process.ts';
import { describeWrongClocks, WrongClock } from '../support/processes/wrong-clock.ts';

const WITHIN = { withinMs: 90_000 };
const TTL_MS = 10_000;
const DELAY_MS = 6000;
/** Between two looks, and what an answer takes on a busy machine. */
const SLACK_MS = 20_000;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function send(
  server: AgentProcess,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; text: string }> {
  const options = {
    method,
    signal: AbortSignal.timeout(30_000),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
  const response = await fetch(`${server.url}${path}`, options);
  return { status: response.status, text: await response.text() };
}

async function ok(server: AgentProcess, method: string, path: string, body?: unknown): Promise<string> {
  const { status, text } = await send(server, method, path, body);
  if (status !== 200) throw new Error(`${method} ${path}: ${status} ${text}`);
  return text;
}

async function newSession(server: AgentProcess, more: object = {}): Promise<string> {
  const body = { TTL: `${TTL_MS / 1000}s`, LockDelay: `${DELAY_MS / 1000}s`, Checks: [], ...more };
  return (JSON.parse(await ok(server, 'PUT', '/v1/session/create', body)) as { ID: string }).ID;
}

async function lives(server: AgentProcess, session: string): Promise<boolean> {
  return (JSON.parse(await ok(server, 'GET', `/v1/session/info/${session}`)) as unknown[]).length > 0;
}

async function metric(server: AgentProcess, name: string): Promise<number> {
  const text = await ok(server, 'GET', '/v1/agent/metrics?format=prometheus');
  const lines = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** Sessions are bound to the health of their node, which its agent reports once somebody leads. */
async function alive(server: AgentProcess, node: string): Promise<void> {
  const checks = await server.get<{ CheckID: string }[]>(`/v1/health/node/${node}`);
  if (!checks.some(({ CheckID }) => CheckID === 'serfHealth')) throw new Error(`${node} has not reported`);
}

async function leader(among: readonly AgentProcess[]): Promise<AgentProcess> {
  return eventually(async () => {
    const known = await Promise.all(among.map((server) => server.get<string>('/v1/status/leader')));
    const found = among.find(({ serverPort }) => known.every((address) => address.endsWith(`:${serverPort}`)));
    if (!found) throw new Error(`they do not agree: ${known.join(', ')}`);
    return found;
  }, WITHIN);
}

async function lead(server: AgentProcess, among: readonly AgentProcess[]): Promise<void> {
  const { Config } = await server.get<{ Config: { NodeID: string } }>('/v1/agent/self');
  await eventually(async () => {
    if ((await leader(among)) === server) return;
    await ok(server, 'POST', `/v1/operator/raft/transfer-leader?id=${Config.NodeID}`);
    throw new Error('not yet');
  }, WITHIN);
}

/** Something that is done again and again; what failed, and what it saw otherwise than it should. */
class Going {
  readonly wrong: string[] = [];
  count = 0;
  /** When the last one was begun. */
  lastMs = 0;
  #stopped = false;
  #done: Promise<void> = Promise.resolve();

  static start(everyMs: number, work: () => Promise<void>): Going {
    const one = new Going();
    one.#done = one.#run(everyMs, work);
    return one;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(everyMs: number, work: () => Promise<void>): Promise<void> {
    while (!this.#stopped) {
      this.lastMs = performance.now();
      await work().catch((error) => this.wrong.push(`${error}`));
      this.count++;
      await sleep(everyMs);
    }
  }
}

/** How long until it is so; at least this long it must not be. */
async function lasts(atLeastMs: number, atMostMs: number, since: number, over: () => Promise<boolean>): Promise<void> {
  while (!(await over())) {
    expect(performance.now() - since).toBeLessThan(atMostMs);
    await sleep(200);
  }
  expect(performance.now() - since).toBeGreaterThan(atLeastMs);
}

async function status(server: AgentProcess, service: string): Promise<string | undefined> {
  const entries = await server.get<{ Checks: { CheckID: string; Status: string }[] }[]>(
    `/v1/health/service/${service}`,
  );
  return entries[0]?.Checks.find(({ CheckID }) => CheckID === `service:${service}`)?.Status;
}

const register = (server: AgentProcess, name: string, check: object): Promise<string> =>
  ok(server, 'PUT', '/v1/agent/service/register', { Name: name, Port: 80, Check: check });

describeWrongClocks(CURRENT_ETCD, 'servers whose wall clocks are wrong', (file) => {
  let cluster: EtcdCluster;
  let clocks: WrongClock[] = [];
  let servers: AgentProcess[] = [];
  const goings: Going[] = [];

  const start = async (offsets: readonly string[]): Promise<void> => {
    cluster = await EtcdCluster.start({ file });
    clocks = offsets.map((offset) => new WrongClock(offset));
    const args = [`-etcd-endpoints=${cluster.url()}`];
    servers = await Promise.all(clocks.map(({ place }, n) => startServer({ node: `server-${n + 1}`, args, place })));
    await leader(servers);
    for (const { name } of servers) await eventually(() => alive(servers[0]!, name), WITHIN);
  };
  const going = (everyMs: number, work: () => Promise<void>): Going => {
    const one = Going.start(everyMs, work);
    goings.push(one);
    return one;
  };
  afterEach(async () => {
    await Promise.all(goings.splice(0).map((one) => one.stop()));
    await Promise.all(servers.splice(0).map((server) => server.stop()));
    await cluster.stop();
    for (const clock of clocks.splice(0)) clock.remove();
  }, 60_000);

  it('by an hour from each other: lead in turn, end nothing early or never, and say so', async () => {
    await start(['+1h', '-1h', '+0']);
    const [ahead, behind, right] = servers as [AgentProcess, AgentProcess, AgentProcess];
    const kept = await newSession(right);
    let turn = 0;
    const renewing = going(2000, async () => {
      const answer = await send(servers[turn++ % 3]!, 'PUT', `/v1/session/renew/${kept}`);
      if (answer.status === 404) throw new Error('the session has ended');
    });
    await register(ahead, 'beats', { TTL: `${TTL_MS / 1000}s`, Status: 'passing' });
    const passing = going(1000, async () => {
      await ok(ahead, 'PUT', '/v1/agent/check/pass/service:beats');
      const seen = await status(behind, 'beats').catch(() => 'passing');
      if (seen !== undefined && seen !== 'passing') throw new Error(seen);
    });
    for (const server of [behind, ahead, right]) {
      await lead(server, servers);
      const epoch = await metric(server, 'lictor_leadership_epoch');
      for (const other of servers) await eventually(() => ok(other, 'PUT', `/v1/kv/${server.name}`, 'x'), WITHIN);
      // A lock whose holder is gone is free after its delay, whoever leads by then.
      const [holder, next] = [await newSession(server), await newSession(server)];
      expect(await ok(server, 'PUT', `/v1/kv/lock?acquire=${holder}`, 'x')).toBe('true');
      await ok(server, 'PUT', `/v1/session/destroy/${holder}`);
      await lasts(DELAY_MS, DELAY_MS + SLACK_MS, performance.now(), async () => {
        await ok(right, 'PUT', `/v1/session/renew/${next}`);
        return (await ok(right, 'PUT', `/v1/kv/lock?acquire=${next}`, 'x')) === 'true';
      });
      await ok(server, 'PUT', `/v1/kv/lock?release=${next}`, 'x');
      expect(await metric(server, 'lictor_leadership_epoch')).toBe(epoch);
    }
    // Not renewed: ends after its time, not before.
    const begun = performance.now();
    const dropped = await newSession(behind);
    await lasts(TTL_MS, 2 * TTL_MS + SLACK_MS, begun, async () => !(await lives(ahead, dropped)));
    await passing.stop();
    const silent = async (): Promise<boolean> => (await status(right, 'beats')) === 'critical';
    await lasts(TTL_MS - 100, TTL_MS + SLACK_MS, passing.lastMs, silent);
    await renewing.stop();
    expect([passing.wrong, renewing.wrong]).toEqual([[], []]);
    expect(renewing.count).toBeGreaterThan(10);
    for (const [server, text] of [
      [ahead, /"aheadSeconds":[37]\d{3},.*the clock of this server is apart/],
      [behind, /"aheadSeconds":-[37]\d{3},.*apart/],
    ] as const) {
      await eventually(() => text.test(server.log()), WITHIN);
    }
    expect(right.log()).toMatch(/"aheadSeconds":-?3\d{3},/);
  }, 300_000);

  it('by an hour from each other: certificates of an hour are renewed in time, not again and again', async () => {
    await start(['+1h', '-1h']);
    const config = { Provider: 'consul', Config: { LeafCertTTL: '1h' } };
    await eventually(() => ok(servers[0]!, 'PUT', '/v1/connect/ca/configuration', config), WITHIN);
    for (const first of servers) {
      await lead(first, servers);
      for (const server of servers) {
        const name = `web-${first.name}-${server.name}`;
        const leaf = await eventually(() => server.get<LeafCertificate>(`/v1/agent/connect/ca/leaf/${name}`), WITHIN);
        const before = await Promise.all(servers.map((one) => metric(one, 'lictor_ca_signed_total')));
        await sleep(2000);
        expect((await server.get<LeafCertificate>(`/v1/agent/connect/ca/leaf/${name}`)).SerialNumber).toBe(
          leaf.SerialNumber,
        );
        expect(await Promise.all(servers.map((one) => metric(one, 'lictor_ca_signed_total')))).toEqual(before);
      }
    }
    // Which of them had one that did not count depends on whose root it is: the first leader's.
    const said = servers.map((server) => server.log()).join('');
    expect(said).toMatch(/does not count by the clock of this machine: set it/);
  }, 180_000);

  it('for a while, by jumps of an hour to and fro: nothing ends early or never', async () => {
    await start(['+0', '+0']);
    const [one, two] = servers as [AgentProcess, AgentProcess];
    await lead(one, servers);
    const epoch = await metric(one, 'lictor_leadership_epoch');
    const kept = await newSession(one);
    const dropped = await newSession(two);
    const droppedAt = performance.now();
    const [holder, next] = [await newSession(one, { TTL: '3600s' }), await newSession(one, { TTL: '3600s' })];
    expect(await ok(one, 'PUT', `/v1/kv/lock?acquire=${holder}`, 'x')).toBe('true');
    const renewing = going(2000, async () => {
      if ((await send(two, 'PUT', `/v1/session/renew/${kept}`)).status === 404)
        throw new Error('the session has ended');
    });
    await register(one, 'beats', { TTL: `${TTL_MS / 1000}s`, Status: 'passing' });
    const passing = going(1000, async () => {
      await ok(one, 'PUT', '/v1/agent/check/pass/service:beats');
      const seen = await status(two, 'beats');
      if (seen !== 'passing') throw new Error(`${seen}`);
    });
    const writing = going(100, async () => {
      expect(await ok(two, 'PUT', '/v1/kv/written', 'x')).toBe('true');
    });
    await register(one, 'gone', { TTL: '1h', Status: 'critical', DeregisterCriticalServiceAfter: '1m' });
    const goneAt = performance.now();
    // The first four ends are watched while the clocks jump.
    const ended = lasts(TTL_MS, 2 * TTL_MS + SLACK_MS, droppedAt, async () => !(await lives(two, dropped)));
    const removed = lasts(
      60_000,
      60_000 + 30_000 + SLACK_MS,
      goneAt,
      async () => (await status(two, 'gone')) === undefined,
    );
    await ok(one, 'PUT', `/v1/session/destroy/${holder}`);
    const freed = lasts(DELAY_MS, DELAY_MS + SLACK_MS, performance.now(), async () => {
      return (await ok(two, 'PUT', `/v1/kv/lock?acquire=${next}`, 'x')) === 'true';
    });
    for (const [server, offset] of [
      [0, '+1h'],
      [1, '-1h'],
      [0, '-1h'],
      [1, '+1h'],
      [0, '+0'],
      [1, '+0'],
    ] as const) {
      clocks[server]!.set(offset);
      await sleep(5000);
    }
    await Promise.all([ended, freed, removed]);
    expect([renewing.wrong, passing.wrong, writing.wrong]).toEqual([[], [], []]);
    expect(await leader(servers)).toBe(one);
    expect(await metric(one, 'lictor_leadership_epoch')).toBe(epoch);
    // And what is due after the jumps comes in time.
    await Promise.all([passing.stop(), renewing.stop()]);
    await Promise.all([
      lasts(TTL_MS - 100, TTL_MS + SLACK_MS, passing.lastMs, async () => (await status(two, 'beats')) === 'critical'),
      lasts(TTL_MS - 100, 2 * TTL_MS + SLACK_MS, renewing.lastMs, async () => !(await lives(one, kept))),
    ]);
  }, 300_000);

  it('do not make scheduled snapshots more or fewer, and the last one stays the newest', async () => {
    await start(['+0']);
    const clock = new WrongClock('+1h');
    clocks.push(clock);
    const folder = tempFolder('snapshots');
    const ids = (): string[] =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.snap'))
        .sort();
    const agent = () =>
      startTied({
        name: 'snapshot agent',
        command: clock.place.inside[0]!,
        args: [
          ...clock.place.inside.slice(1),
          ...[LICTOR_BIN, 'snapshot', 'agent', '-interval=3s', '-retain=3', `-local-path=${folder}`],
        ],
        env: { CONSUL_HTTP_ADDR: servers[0]!.url },
        logFile: `${folder}/log`,
      });
    const saved = (process: { log(): string }): number => process.log().split('Saved snapshot').length - 1;
    try {
      const first = await agent();
      await eventually(() => saved(first) === 1, WITHIN);
      const before = performance.now();
      for (const offset of ['-1h', '+1h', '+0']) {
        clock.set(offset);
        await sleep(5000);
      }
      const due = (performance.now() - before) / 3000;
      expect(saved(first)).toBeGreaterThan(due / 3);
      expect(saved(first)).toBeLessThan(due + 3);
      const newest = ids().at(-1)!;
      await first.kill();
      // Started anew under a clock that is two hours behind the one of before: its snapshots are the newer ones.
      clock.set('-1h');
      const count = saved(first);
      const second = await agent();
      await eventually(() => saved(second) >= count + 4, WITHIN);
      expect(ids()[0]! > newest).toBe(true);
      await second.kill();
    } finally {
      removeFolder(folder);
    }
  }, 180_000);
});
