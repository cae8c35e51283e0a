import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SeededRandom } from '../../core/random.ts';
import { INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { etcdFile, killEtcd, ManagedServers, putKey, readKey } from '../support/etcd/managed-servers.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/processes/free-port.ts';
import type { AgentProcess } from '../support/processes/lictor.ts';
import { runLictor } from '../support/processes/run-lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';
import { describeReal } from '../support/require-real.ts';

const { file, install } = INSTALLED_ETCD;

describeReal('etcd', file !== undefined, install, 'servers that are killed while they form a cluster', () => {
  let managed: ManagedServers;

  beforeEach(async () => {
    managed = await ManagedServers.on(INSTALLED_ETCD);
  });
  afterEach(() => managed.stop(), 60_000);

  /** Killed as soon as it has said something so often, with its etcd or without, and started again. */
  const killWhen = async (server: AgentProcess, said: string, times: number, withEtcd: boolean) => {
    const count = () => server.log().split(said).length - 1;
    await eventually(() => expect(count()).toBeGreaterThanOrEqual(times), { withinMs: 60_000, everyMs: 5 });
    await server.kill();
    if (withEtcd) killEtcd(server);
    await server.restart({ waitUntilReady: false });
  };

  const expectOneCluster = async (servers: readonly AgentProcess[]) => {
    for (const server of servers) {
      const answers = async () => {
        // One whose etcd was killed under it has ended with an error, and is started again as by its supervisor.
        if (!server.process.running) await server.restart({ waitUntilReady: false });
        expect((await fetch(`${server.url}/v1/status/leader`)).status).toBe(200);
      };
      await eventually(answers, { withinMs: 120_000, everyMs: 200 });
    }
    const names = async () => (await managed.members()).filter(({ isLearner }) => !isLearner).map(({ name }) => name);
    await eventually(async () => expect((await names()).sort()).toEqual(servers.map(({ name }) => name).sort()), {
      withinMs: 60_000,
      everyMs: 200,
    });
    const ids = new Set(servers.map((server) => readFileSync(etcdFile(server, 'cluster-id'), 'utf8')));
    expect(ids.size).toBe(1);
    for (const server of servers) expect(existsSync(etcdFile(server, 'formation.json'))).toBe(false);
    await eventually(() => putKey(servers[2]!, 'k', 'v'), { withinMs: 60_000, everyMs: 200 });
    for (const server of servers) expect(await readKey(server, 'k')).toBe('v');
  };

  it('come to one cluster when each dies in the middle of its part, with its etcd or without', async () => {
    const servers = await Promise.all([1, 2, 3].map((n) => managed.start(n, { waitUntilReady: false })));
    const [first, second, third] = servers as [AgentProcess, AgentProcess, AgentProcess];
    await killWhen(first, 'begins the cluster', 1, true);
    // Whether its etcd already had data by then or not.
    await killWhen(first, '"listener":"join"', 2, false);
    await Promise.all([
      killWhen(second, 'etcd has been started', 1, true),
      killWhen(third, 'etcd has been started', 1, false),
      killWhen(first, 'the agent runs', 1, false),
    ]);
    await expectOneCluster(servers);
  }, 300_000);

  it.each([11, 12])(
    'come to one cluster when any of them dies at any time (seed %i)',
    async (seed) => {
      const random = new SeededRandom(seed);
      const servers = await Promise.all([1, 2, 3].map((n) => managed.start(n, { waitUntilReady: false })));
      for (let kills = 0; kills < 12; kills++) {
        // Half of the time that a process takes to start, so that some die before they have said anything.
        await new Promise((resolve) => setTimeout(resolve, random.next() * 1500));
        const server = servers[Math.floor(random.next() * 3)]!;
        await server.kill();
        if (random.next() < 0.5) killEtcd(server);
        await server.restart({ waitUntilReady: false });
      }
      await expectOneCluster(servers);
    },
    300_000,
  );

  it.each([
    ['a server', ['-server', '-bootstrap-expect=3', `-etcd-bin=${file}`]],
    ['an agent in client mode', []],
  ])(
    'say what each address answered when %s finds nobody within its tries',
    async (_, flags) => {
      const folder = tempFolder('alone');
      const [nobody, http, own] = [await freePort(), await freePort(), await freePort()];
      const other = createServer((_request, response) => response.writeHead(404).end('not here')).listen(
        0,
        '127.0.0.1',
      );
      await once(other, 'listening');
      const { port } = other.address() as AddressInfo;
      // Whatever answers an agent in client mode counts as an answer to it.
      const targets = [`127.0.0.1:${nobody}`, ...(flags.length > 0 ? [`127.0.0.1:${port}`] : [])];
      const args = [...flags, '-retry-interval=300ms', '-retry-max=4', ...targets.map((to) => `-retry-join=${to}`)];
      const ports = [`-http-port=${http}`, '-dns-port=-1', `-server-port=${own}`];
      const begun = performance.now();
      const ended = await runLictor(['agent', `-data-dir=${folder}`, '-bind=127.0.0.1', ...ports, ...args]);
      other.close();
      removeFolder(folder);
      expect(ended.code).toBe(1);
      expect(performance.now() - begun).toBeGreaterThan(1200);
      expect(ended.stderr).toMatch(/retry_join: no server has answered within 4 × 0.3 s/);
      const line = ended.stderr.trimEnd().split('\n').at(-1);
      for (const target of targets) expect(line).toContain(target);
      expect(line).toMatch(/ECONNREFUSED/);
      if (targets.length > 1) expect(line).toMatch(/404 not here/);
    },
    120_000,
  );
});
