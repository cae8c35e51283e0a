import { SeededRandom } from '../../core/random.ts';
import { INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { checkKey } from '../support/linearizability/check-key.ts';
import { KvClient } from '../support/linearizability/kv-client.ts';
import { minimalHistory } from '../support/linearizability/minimal-history.ts';
import { torment } from '../support/linearizability/nemesis.ts';
import { History, type Operation, operationLine } from '../support/linearizability/operations.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { describeReal } from '../support/require-real.ts';

/** How long clients and faults go on; `make chaos` asks for more. */
const SECONDS = Number(process.env.CHAOS_SECONDS ?? 20);
const SEED = Number(process.env.CHAOS_SEED ?? 1);
const CLIENTS = 5;
/** New keys now and then keep each history short enough to decide. */
const KEYS_FOR_MS = 20_000;
const KEYS = ['kv-1', 'kv-2', 'kv-3', 'lock-1', 'lock-2'];

/** What is wrong with a key's history, for people; undefined: nothing. */
function problem(key: string, operations: readonly Operation[]): string | undefined {
  const verdict = checkKey(operations);
  if (verdict === 'linearizable') return undefined;
  const shown = verdict === 'broken' ? minimalHistory(operations) : operations;
  return `${key} is ${verdict} (seed ${SEED}, ${operations.length} operations):\n${shown.map(operationLine).join('\n')}`;
}

describeReal(
  'etcd',
  INSTALLED_ETCD.file !== undefined,
  INSTALLED_ETCD.install,
  'three servers on a broken etcd',
  () => {
    let etcd: EtcdCluster;
    let servers: AgentProcess[];

    beforeAll(async () => {
      etcd = await EtcdCluster.start({ file: INSTALLED_ETCD.file!, members: 3 });
      const args = [`-etcd-endpoints=${etcd.endpoints.join(',')}`];
      servers = await Promise.all([1, 2, 3].map((n) => startServer({ node: `server-${n}`, args })));
    }, 180_000);
    afterAll(async () => {
      await Promise.all((servers ?? []).map((server) => server.stop()));
      await etcd?.stop();
    }, 60_000);

    it(
      'are linearizable at every key, whatever is killed or paused',
      async () => {
        const history = new History();
        const urls = servers.map(({ url }) => url);
        const begun = performance.now();
        const over = () => performance.now() - begun > SECONDS * 1000;
        const keys = () => {
          const generation = Math.floor((performance.now() - begun) / KEYS_FOR_MS);
          return KEYS.map((key) => `chaos/${generation}/${key}`);
        };
        const clients = Array.from({ length: CLIENTS }, (_, i) => {
          const random = new SeededRandom(SEED * 1000 + i);
          return new KvClient({ name: `c${i}`, history, random, servers: urls, keys });
        });
        for (const client of clients) await eventually(() => client.begin(), { withinMs: 60_000 });
        const [faults] = await Promise.all([
          torment({ servers, etcd, random: new SeededRandom(SEED) }, over),
          ...clients.map((client) => client.run(over)),
        ]);

        // Everything is mended: what was acknowledged is there, at each server.
        for (const key of history.byKey().keys()) {
          for (const url of urls) {
            const read = async () => expect(await clients[0]!.do(key, { kind: 'read' }, url)).toBe(true);
            await eventually(read, { withinMs: 60_000, everyMs: 100 });
          }
        }

        const problems = [...history.byKey()].flatMap(([key, operations]) => problem(key, operations) ?? []);
        if (problems.length > 0 || process.env.CHAOS_REPORT) console.log(report(faults, clients, history));
        expect(problems.join('\n\n')).toBe('');
        expect(faults.length).toBeGreaterThan(1);
        expect(history.operations.filter(({ end }) => end !== Infinity).length).toBeGreaterThan(SECONDS * 5);
      },
      (SECONDS * 2 + 240) * 1000,
    );
  },
);

function report(faults: readonly string[], clients: readonly KvClient[], history: History): string {
  const outcomes = new Map<string, number>();
  for (const client of clients) {
    for (const [name, count] of client.outcomes) outcomes.set(name, (outcomes.get(name) ?? 0) + count);
  }
  const counts = [...outcomes].map(([name, count]) => `${count} ${name}`);
  return [...faults, `${history.operations.length} operations`, ...counts].join('\n');
}
