import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { SystemClock } from '../core/clock.ts';
import { parseEndpoints } from '../store/etcd/endpoints.ts';
import { DEFAULT_TIMEOUTS, EtcdClient } from '../store/etcd/etcd-client.ts';
import { INSTALLED_ETCD } from '../test/support/etcd/binaries.ts';
import { EtcdCluster } from '../test/support/etcd/etcd-cluster.ts';
import { type AgentProcess, startServer } from '../test/support/processes/lictor.ts';
import { call, drive, poolOf, registration, wrkRegistrations } from './load.ts';
import { median, show } from './measure.ts';

/**
 * Three servers over three etcds on one machine: registrations by 64 clients that are spread over the servers, by one at the
 * server that leads, and by one at the others, which hand on what they get, beside plain puts of one key each into the same
 * etcds over the client library that the servers use; then a fourth server that starts on the catalog that is there. Six processes and the load share the cores, so nothing is
 * pinned; beside the rates stands the processor time of servers and etcds, and of the library's process for plain puts, which
 * others on the machine change less. Registrations come from `wrk`, which takes little of the cores that all share.
 * Plain puts cost etcd more the more it holds: they are shown as they were before there was a catalog, too.
 */
const SHORT = process.argv.includes('--short');
const ROUNDS = SHORT ? 2 : 5;
const ROUND_SECONDS = SHORT ? 1 : 3;
/** Rounds of each load that do not count: processes that have just started compile first. */
const WARM_UP_ROUNDS = SHORT ? 1 : 3;
/** Instances with a check each. */
const CATALOG = SHORT ? 2_000 : 100_000;
const SHAPE = { services: 5000, nodes: 500 };
const VALUE = Buffer.alloc(300, 'v');

const clock = new SystemClock();

/** Who registers. */
interface Writers {
  readonly count: number;
  readonly name: string;
  /** At which servers: as evenly spread as they can be, and one alone at another of them each time. */
  readonly at: readonly AgentProcess[];
}

/** What a round has shown. */
interface Round {
  readonly perSecond: number;
  /** Seconds of servers and etcds, and of this process for plain puts. */
  readonly cpuPer1000: number;
}

class Bench {
  readonly #etcd: EtcdCluster;
  readonly #servers: readonly AgentProcess[];
  readonly #client: EtcdClient;
  /** Instances that were registered. */
  #count = 0;
  #loads = 0;

  constructor(etcd: EtcdCluster, servers: readonly AgentProcess[]) {
    this.#etcd = etcd;
    this.#servers = servers;
    const endpoints = parseEndpoints(etcd.endpoints, false);
    this.#client = new EtcdClient({ grpc, clock }, { endpoints, timeouts: DEFAULT_TIMEOUTS });
  }

  /** Gives the plain puts of 64 writers while etcd holds little. */
  async warmUp(): Promise<Round> {
    // Plain puts go to the member that leads, as the servers' writes do.
    await this.#client.assertOneCluster();
    for (let round = 0; round < WARM_UP_ROUNDS; round++) await this.plain(64);
    const early = await this.plain(64);
    for (let round = 0; round < WARM_UP_ROUNDS; round++) await this.registrations({ count: 64, at: this.#servers });
    return early;
  }

  /** The server that leads, and the others. */
  async places(): Promise<{ leader: AgentProcess[]; others: AgentProcess[] }> {
    const address = await this.#servers[0]!.get<string>('/v1/status/leader');
    const leads = ({ serverPort }: AgentProcess): boolean => address.endsWith(`:${serverPort}`);
    return { leader: this.#servers.filter(leads), others: this.#servers.filter((server) => !leads(server)) };
  }

  async plain(writers: number): Promise<Round> {
    const until = performance.now() + ROUND_SECONDS * 1000;
    const cpu = this.#cpuSeconds();
    const load = await drive(
      writers,
      () => performance.now() < until,
      (n) => {
        const put = { kind: 'put' as const, key: Buffer.from(`plain/${n % 10_000}`), value: [VALUE] };
        return this.#client.txn({ compares: [], success: [put], failure: [] });
      },
    );
    return this.#round(load, cpu);
  }

  async registrations({ count, at: servers }: Pick<Writers, 'count' | 'at'>): Promise<Round> {
    const before = this.#cpuSeconds();
    const own = ownCpuSeconds();
    const turn = this.#loads++;
    const loads = await Promise.all(
      servers.map(({ httpPort }, at) => {
        const connections = Math.floor((count + ((at + turn) % servers.length)) / servers.length);
        if (connections === 0) return { perSecond: 0, p99Ms: 0 };
        const tag = `${turn}-${at}`;
        return wrkRegistrations(httpPort, { connections, seconds: ROUND_SECONDS, tag, pinned: false });
      }),
    );
    const perSecond = loads.reduce((sum, load) => sum + load.perSecond, 0);
    this.#count += Math.round(perSecond * ROUND_SECONDS);
    return this.#round({ perSecond, seconds: ROUND_SECONDS }, before + ownCpuSeconds() - own);
  }

  /** Against plain puts of as many writers. */
  async compare(writers: Writers, bar: number): Promise<number> {
    const rounds: { plain: Round; ours: Round }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      rounds.push({ plain: await this.plain(writers.count), ours: await this.registrations(writers) });
    }
    const { name } = writers;
    const of = (pick: (round: { plain: Round; ours: Round }) => number) => pick(median(rounds, pick));
    const tell = (what: string, value: number, unit: string) =>
      show({ name: `${what}, ${name}`, value, unit, bar: null });
    tell(
      'etcd plain puts',
      of(({ plain }) => plain.perSecond),
      '/s',
    );
    tell(
      'registrations',
      of(({ ours }) => ours.perSecond),
      '/s',
    );
    tell(
      'etcd plain puts, CPU of etcds and client',
      of(({ plain }) => plain.cpuPer1000),
      's/1000',
    );
    tell(
      'registrations, CPU of etcds and servers',
      of(({ ours }) => ours.cpuPer1000),
      's/1000',
    );
    const ratio = of(({ plain, ours }) => ours.perSecond / plain.perSecond);
    // Three servers, three etcds and the load share two cores: shown in the short form only.
    show({
      name: `registrations to plain puts, ${name}`,
      value: ratio,
      unit: 'ratio',
      bar: SHORT ? null : bar,
      better: 'higher',
    });
    return of(({ ours }) => ours.perSecond);
  }

  /** A server that has never seen the catalog, until it answers a default read rightly. */
  async fresh(): Promise<void> {
    const pool = poolOf(this.#servers[0]!.httpPort, 64);
    let next = 0;
    await drive(
      64,
      () => this.#count + next < CATALOG || next < SHAPE.services,
      () => call(pool, '/v1/catalog/register', registration(next++, SHAPE)),
    );
    await pool.destroy();
    const instances = this.#count + next;
    const want = JSON.stringify(await this.#servers[0]!.get('/v1/health/service/svc-1'));
    const begun = performance.now();
    const server = await startServer({ node: 'fresh', args: [`-etcd-endpoints=${this.#etcd.endpoints.join(',')}`] });
    const got = JSON.stringify(await server.get('/v1/health/service/svc-1?stale'));
    const tookMs = performance.now() - begun;
    await server.stop();
    if (got !== want) throw new Error('the fresh server answers otherwise');
    const name = `start of a fourth server to its first right answer, ${instances} instances`;
    show({ name, value: tookMs, unit: 'ms', bar: 8000, better: 'lower' });
  }

  close(): void {
    this.#client.close();
  }

  #round({ perSecond, seconds }: { perSecond: number; seconds: number }, cpuBefore: number): Round {
    return { perSecond, cpuPer1000: ((this.#cpuSeconds() - cpuBefore) / (perSecond * seconds)) * 1000 };
  }

  #cpuSeconds(): number {
    const others = [...this.#servers.map((server) => server.process), ...[0, 1, 2].map((at) => this.#etcd.process(at))];
    return others.reduce((sum, one) => sum + one.cpuSeconds(), ownCpuSeconds());
  }
}

function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function main(): Promise<void> {
  if (!INSTALLED_ETCD.file) throw new Error(`etcd is missing: ${INSTALLED_ETCD.install}`);
  // On a disk: a sync must cost what it costs.
  const cache = join(dirname(fileURLToPath(import.meta.url)), '..', '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'bench-etcd-servers-'));
  const etcd = await EtcdCluster.start({ file: INSTALLED_ETCD.file, members: 3, folder });
  const args = [`-etcd-endpoints=${etcd.endpoints.join(',')}`, '-log-level=error'];
  const servers = await Promise.all([1, 2, 3].map((n) => startServer({ node: `server-${n}`, args })));
  const bench = new Bench(etcd, servers);
  try {
    const early = await bench.warmUp();
    const ours = await bench.compare({ count: 64, name: '64 writers', at: servers }, 1);
    show({
      name: 'etcd plain puts before there is a catalog, 64 writers',
      value: early.perSecond,
      unit: '/s',
      bar: null,
    });
    show({
      name: 'registrations to plain puts before there is a catalog, 64 writers',
      value: ours / early.perSecond,
      unit: 'ratio',
      bar: null,
      better: 'higher',
    });
    const { leader, others } = await bench.places();
    await bench.compare({ count: 1, name: '1 writer at the server that leads', at: leader }, 0.67);
    await bench.compare({ count: 1, name: '1 writer at another server', at: others }, 0.67);
    await bench.fresh();
  } finally {
    bench.close();
    await Promise.all(servers.map((server) => server.stop()));
    await etcd.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
