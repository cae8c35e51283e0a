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
import { call, drive, poolOf, registration } from './load.ts';
import { median, show } from './measure.ts';

/**
 * Three servers over three etcds on one machine: registrations by 64 clients that are spread over the servers, and by one,
 * beside plain puts of one key each into the same etcds over the same client library; then a fourth server that starts on
 * the catalog that is there. Seven processes share the cores, so nothing is pinned; beside the rates stands the processor
 * time of all of them, which others on the machine change less.
 */
const SHORT = process.argv.includes('--short');
const ROUNDS = SHORT ? 2 : 5;
const ROUND_MS = SHORT ? 1000 : 3000;
/** Rounds of each load that do not count: processes that have just started compile first. */
const WARM_UP_ROUNDS = SHORT ? 1 : 3;
/** Instances with a check each. */
const CATALOG = SHORT ? 2_000 : 100_000;
const SHAPE = { services: 5000, nodes: 500 };
const VALUE = Buffer.alloc(300, 'v');

const clock = new SystemClock();

/** What a round has shown. */
interface Round {
  readonly perSecond: number;
  /** Seconds of all processes: the load, servers and etcds. */
  readonly cpuPer1000: number;
}

class Bench {
  readonly #etcd: EtcdCluster;
  readonly #servers: readonly AgentProcess[];
  readonly #client: EtcdClient;
  #next = 0;

  constructor(etcd: EtcdCluster, servers: readonly AgentProcess[]) {
    this.#etcd = etcd;
    this.#servers = servers;
    const endpoints = parseEndpoints(etcd.endpoints, false);
    this.#client = new EtcdClient({ grpc, clock }, { endpoints, timeouts: DEFAULT_TIMEOUTS });
  }

  async warmUp(): Promise<void> {
    // Plain puts go to the member that leads, as the servers' writes do.
    await this.#client.assertOneCluster();
    for (let round = 0; round < WARM_UP_ROUNDS; round++) {
      await this.plain(64);
      await this.registrationsFor(64);
    }
  }

  async plain(writers: number): Promise<Round> {
    const until = performance.now() + ROUND_MS;
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

  registrationsFor(writers: number): Promise<Round> {
    const until = performance.now() + ROUND_MS;
    return this.registrations(writers, () => performance.now() < until);
  }

  async registrations(writers: number, more: () => boolean): Promise<Round> {
    const cpu = this.#cpuSeconds();
    const pools = this.#servers.map(({ httpPort }) => poolOf(httpPort, Math.ceil(writers / this.#servers.length) + 1));
    const load = await drive(writers, more, (n) =>
      call(pools[n % pools.length]!, '/v1/catalog/register', registration(this.#next++, SHAPE)),
    );
    await Promise.all(pools.map((pool) => pool.destroy()));
    return this.#round(load, cpu);
  }

  async compare(writers: number, bar: number): Promise<void> {
    const rounds: { plain: Round; ours: Round }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      rounds.push({ plain: await this.plain(writers), ours: await this.registrationsFor(writers) });
    }
    const name = `${writers === 1 ? '1 writer' : `${writers} writers`}`;
    const of = (pick: (round: { plain: Round; ours: Round }) => number) => pick(median(rounds, pick));
    const tell = (what: string, value: number, unit: string) =>
      show({ name: `${what}, ${name}`, value, unit, bar: null });
    tell(
      'etcd plain puts',
      of(({ plain }) => plain.perSecond),
      '/s',
    );
    tell(
      'registrations at three servers',
      of(({ ours }) => ours.perSecond),
      '/s',
    );
    tell(
      'etcd plain puts, CPU of all processes',
      of(({ plain }) => plain.cpuPer1000),
      's/1000',
    );
    tell(
      'registrations at three servers, CPU of all processes',
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
  }

  /** A server that has never seen the catalog, until it answers a default read rightly. */
  async fresh(): Promise<void> {
    await this.registrations(64, () => this.#next < CATALOG);
    const want = JSON.stringify(await this.#servers[0]!.get('/v1/health/service/svc-1'));
    const begun = performance.now();
    const server = await startServer({ node: 'fresh', args: [`-etcd-endpoints=${this.#etcd.endpoints.join(',')}`] });
    const got = JSON.stringify(await server.get('/v1/health/service/svc-1?stale'));
    const tookMs = performance.now() - begun;
    await server.stop();
    if (got !== want) throw new Error('the fresh server answers otherwise');
    const name = `start of a fourth server to its first right answer, ${this.#next} instances`;
    show({ name, value: tookMs, unit: 'ms', bar: 8000, better: 'lower' });
  }

  close(): void {
    this.#client.close();
  }

  #round({ perSecond, seconds }: { perSecond: number; seconds: number }, cpuBefore: number): Round {
    return { perSecond, cpuPer1000: ((this.#cpuSeconds() - cpuBefore) / (perSecond * seconds)) * 1000 };
  }

  #cpuSeconds(): number {
    const { user, system } = process.cpuUsage();
    const others = [...this.#servers.map((server) => server.process), ...[0, 1, 2].map((at) => this.#etcd.process(at))];
    return others.reduce((sum, one) => sum + one.cpuSeconds(), (user + system) / 1e6);
  }
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
    await bench.warmUp();
    await bench.compare(64, 1);
    await bench.compare(1, 0.67);
    await bench.fresh();
  } finally {
    bench.close();
    await Promise.all(servers.map((server) => server.stop()));
    await etcd.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
