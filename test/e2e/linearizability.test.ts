import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SeededRandom } from '../../core/random.ts';
import { INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { checkKey } from '../support/linearizability/check-key.ts';
import { KvClient } from '../support/linearizability/kv-client.ts';
import { LapsingClient } from '../support/linearizability/lapsing-client.ts';
import { minimalHistory } from '../support/linearizability/minimal-history.ts';
import { torment } from '../support/linearizability/nemesis.ts';
import { History, type Operation, operationLine } from '../support/linearizability/operations.ts';
import { BrokenNetwork, CAN_HAVE_NETWORK, NETWORK_NEEDS } from '../support/network/broken-network.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { fastTempFolder } from '../support/processes/temp-folder.ts';
import { describeReal, findProgram } from '../support/require-real.ts';

/** How long clients and faults go on; `make chaos` asks for more. */
const SECONDS = Number(process.env.CHAOS_SECONDS ?? 60);
const SEED = Number(process.env.CHAOS_SEED ?? 1);
const CLIENTS = 5;
/** New keys now and then keep each history short enough to decide. */
const KEYS_FOR_MS = 20_000;
const KEYS = ['kv-1', 'kv-2', 'kv-3', 'lock-1', 'lock-2', 'pair-1', 'pair-2', 'service-1', 'service-2'];
const LAPSING_CLIENTS = 3;
const LAPSING_KEYS = ['lock-of-lapsing-1', 'lock-of-lapsing-2'];
const TTL_MS = 1000;
/** Of things that are paused or cut off. */
const LASTS_MS = process.env.CHAOS_SECONDS ? { min: 5000, max: 60_000 } : { min: 1000, max: 5000 };
const FOLDER_BYTES = 2 ** 30;
/** Room for etcd's logs, which it claims in pieces of 64 MB, two at a time. */
const SMALL_DISK_BYTES = 256 * 2 ** 20;
const HOSTS = [0, 1, 2];
const SMALL = 2;

const reals = [
  { there: INSTALLED_ETCD.file !== undefined, name: 'etcd', install: INSTALLED_ETCD.install },
  { there: CAN_HAVE_NETWORK, name: 'a network of its own', install: NETWORK_NEEDS },
  { there: findProgram('strace') !== undefined, name: 'strace', install: "'scripts/install-test-tools.sh' brings it" },
];
const missing = reals.find(({ there }) => !there);

/** What is wrong with a key's history, for people; undefined: nothing. */
function problem(key: string, operations: readonly Operation[]): string | undefined {
  const verdict = checkKey(operations);
  if (verdict === 'linearizable') return undefined;
  const shown = verdict === 'broken' ? minimalHistory(operations) : operations;
  return `${key} is ${verdict} (seed ${SEED}, ${operations.length} operations):\n${shown.map(operationLine).join('\n')}`;
}

describeReal(
  missing?.name ?? 'etcd',
  missing === undefined,
  missing?.install ?? '',
  'three servers on a broken etcd',
  () => {
    let etcd: EtcdCluster;
    let servers: AgentProcess[];
    let network: BrokenNetwork;
    let smallDisk: { member: number; folder: string };

    beforeAll(async () => {
      network = await BrokenNetwork.start(HOSTS.length);
      const folder = fastTempFolder('etcd', FOLDER_BYTES);
      const data = join(folder, `m${SMALL}`);
      mkdirSync(data);
      smallDisk = { member: SMALL, folder: await network.mountDisk(data, SMALL_DISK_BYTES) };
      const places = HOSTS.map((host) => network.place(host, { disks: true }));
      etcd = await EtcdCluster.start({ file: INSTALLED_ETCD.file!, members: 3, places, folder });
      const args = [`-etcd-endpoints=${etcd.endpoints.join(',')}`, '-hcl=session_ttl_min = "1s"'];
      servers = await Promise.all(
        HOSTS.map((host) => startServer({ node: `server-${host + 1}`, args, place: network.place(host) })),
      );
    }, 180_000);
    afterAll(async () => {
      await Promise.all((servers ?? []).map((server) => server.stop()));
      await etcd?.stop();
      await network?.stop();
    }, 60_000);

    it(
      'are linearizable at every key, whatever is killed, paused, cut off, slow, full or exchanged',
      async () => {
        const history = new History();
        const urls = servers.map(({ url }) => url);
        const begun = performance.now();
        const over = () => performance.now() - begun > SECONDS * 1000;
        const current = (names: readonly string[]) => () => {
          const generation = Math.floor((performance.now() - begun) / KEYS_FOR_MS);
          return names.map((key) => `chaos/${generation}/${key}`);
        };
        const clients = Array.from({ length: CLIENTS }, (_, i) => {
          const random = new SeededRandom(SEED * 1000 + i);
          return new KvClient({ name: `c${i}`, history, random, servers: urls, keys: current(KEYS) });
        });
        const lapsing = Array.from({ length: LAPSING_CLIENTS }, (_, i) => {
          const random = new SeededRandom(SEED * 1000 + 500 + i);
          const keys = current(LAPSING_KEYS);
          return new LapsingClient({ name: `t${i}`, history, random, servers: urls, keys, ttlMs: TTL_MS });
        });
        for (const client of clients) await eventually(() => client.begin(), { withinMs: 60_000 });
        const random = new SeededRandom(SEED);
        const [faults] = await Promise.all([
          torment({ servers, etcd, network, smallDisk, random, lastsMs: LASTS_MS }, over),
          ...[...clients, ...lapsing].map((client) => client.run(over)),
        ]);

        // Everything is mended: what was acknowledged is there, at each server.
        for (const key of history.byKey().keys()) {
          for (const url of urls) {
            const read = async () => expect(await clients[0]!.do(key, { kind: 'read' }, url)).toBe(true);
            await eventually(read, { withinMs: 60_000, everyMs: 100 });
          }
        }

        const problems = [...history.byKey()].flatMap(([key, operations]) => problem(key, operations) ?? []);
        problems.push(...lapsing.flatMap((client) => client.problems));
        if (problems.length > 0 || process.env.CHAOS_REPORT) console.log(report(faults, clients, history));
        if (process.env.CHAOS_REPORT) process.stderr.write(`${resultLine(problems.length, faults, history)}\n`);
        expect(problems.join('\n\n')).toBe('');
        expect(faults.length).toBeGreaterThan(1);
        expect(lapsing.reduce((sum, { ended }) => sum + ended, 0)).toBeGreaterThan(SECONDS / 20);
        expect(history.operations.filter(({ end }) => end !== Infinity).length).toBeGreaterThan(SECONDS * 5);
      },
      (SECONDS * 2 + 240) * 1000,
    );
  },
);

function resultLine(anomalies: number, faults: readonly string[], history: History): string {
  const { operations } = history;
  const unknown = operations.filter(({ end }) => end === Infinity).length;
  const counts = `${operations.length} operations (${unknown} of unknown outcome) on ${history.byKey().size} keys`;
  return `chaos: ${anomalies} anomalies in ${SECONDS} s with seed ${SEED}: ${counts}, ${faults.length} faults`;
}

function report(faults: readonly string[], clients: readonly KvClient[], history: History): string {
  const outcomes = new Map<string, number>();
  for (const client of clients) {
    for (const [name, count] of client.outcomes) outcomes.set(name, (outcomes.get(name) ?? 0) + count);
  }
  const counts = [...outcomes].map(([name, count]) => `${count} ${name}`);
  return [...faults, `${history.operations.length} operations`, ...counts].join('\n');
}
