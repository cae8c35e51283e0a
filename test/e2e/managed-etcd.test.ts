import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CURRENT_ETCD, INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/processes/free-port.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { removeFolder } from '../support/processes/temp-folder.ts';
import { describeReal } from '../support/require-real.ts';

const SOON = { withinMs: 60_000, everyMs: 200 };

interface Listed {
  readonly ID: string;
  readonly name: string;
  readonly peerURLs: readonly string[];
  readonly isLearner?: boolean;
}

function etcdPid(server: AgentProcess): number {
  return Number(readFileSync(join(server.folder, 'data', 'etcd', 'etcd.pid'), 'utf8'));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function put(server: AgentProcess, key: string, value: string): Promise<void> {
  const init = { method: 'PUT', body: value, signal: AbortSignal.timeout(30_000) };
  const response = await fetch(`${server.url}/v1/kv/${key}`, init);
  expect(await response.text()).toBe('true');
}

async function read(server: AgentProcess, key: string): Promise<string> {
  const response = await fetch(`${server.url}/v1/kv/${key}?raw`, { signal: AbortSignal.timeout(30_000) });
  return response.text();
}

for (const etcd of [INSTALLED_ETCD, CURRENT_ETCD]) {
  describeReal('etcd', etcd.file !== undefined, etcd.install, `servers that run ${etcd.name} themselves`, () => {
    let ports: { server: number; client: number; peer: number };
    let servers: AgentProcess[];
    let moved: AgentProcess | undefined;
    let replaced: AgentProcess | undefined;

    /** Each on an address of its own, as on machines of their own. */
    const start = (n: number, more: readonly string[] = ['-bootstrap-expect=3'], node = `server-${n}`) =>
      startServer({
        node,
        // Etcd lets a member in once the others have been connected for 5 s.
        readyMs: 120_000,
        place: { address: `127.0.0.${10 + n}`, inside: [] },
        args: [
          ...more,
          `-server-port=${ports.server}`,
          `-advertise=127.0.0.${10 + n}`,
          `-etcd-bin=${etcd.file}`,
          `-etcd-client-port=${ports.client}`,
          `-etcd-peer-port=${ports.peer}`,
          `-retry-join=127.0.0.11:${ports.server}`,
          `-retry-join=127.0.0.12:${ports.server}`,
        ],
      });

    const members = async (): Promise<Listed[]> => {
      const response = await fetch(`http://127.0.0.11:${ports.client}/v3/cluster/member/list`, {
        method: 'POST',
        body: '{}',
        signal: AbortSignal.timeout(10_000),
      });
      return ((await response.json()) as { members: Listed[] }).members;
    };

    /** Makes a server lead. @throws until it does. */
    const lead = async (server: AgentProcess): Promise<void> => {
      const { Servers } = await server.get<{ Servers: { ID: string; Node: string; Leader: boolean }[] }>(
        '/v1/operator/raft/configuration',
      );
      const { ID, Leader } = Servers.find(({ Node }) => Node === server.name)!;
      if (Leader) return;
      await fetch(`${server.url}/v1/operator/raft/transfer-leader?id=${ID}`, { method: 'POST' });
      throw new Error(`${server.name} does not lead yet`);
    };

    beforeAll(async () => {
      ports = { server: await freePort(), client: await freePort(), peer: await freePort() };
      servers = await Promise.all([1, 2, 3].map((n) => start(n)));
    }, 180_000);
    afterAll(async () => {
      await moved?.stop();
      for (const server of [...(servers ?? []), ...(replaced ? [replaced] : [])]) {
        await server.kill();
        const pid = etcdPid(server);
        if (isRunning(pid)) process.kill(pid, 'SIGKILL');
        await server.stop();
      }
    }, 60_000);

    it('form one cluster of full members from nothing', async () => {
      const listed = await members();
      expect(listed.map(({ name }) => name).sort()).toEqual(['server-1', 'server-2', 'server-3']);
      expect(listed.filter(({ isLearner }) => isLearner)).toEqual([]);
      await eventually(() => put(servers[2]!, 'a', '1'), SOON);
      for (const server of servers) expect(await read(server, 'a')).toBe('1');
    }, 120_000);

    it('leave their etcd running when they are restarted, and start one that was killed again', async () => {
      const server = servers[1]!;
      const before = etcdPid(server);
      await server.terminate();
      expect(isRunning(before)).toBe(true);
      await server.restart();
      expect(etcdPid(server)).toBe(before);
      process.kill(before, 'SIGKILL');
      await eventually(() => expect(etcdPid(server)).not.toBe(before), SOON);
      await eventually(() => put(server, 'b', '2'), SOON);
    }, 180_000);

    it('come back under their name after the loss of the disk, and take in a fourth', async () => {
      const lost = servers[2]!;
      const pid = etcdPid(lost);
      // The other one is asked, and hands on.
      await eventually(() => lead(servers[1]!), SOON);
      await lost.kill();
      process.kill(pid, 'SIGKILL');
      removeFolder(join(lost.folder, 'data'));
      await lost.restart();
      expect(servers.map((server) => server.log().includes('come without its data'))).toEqual([false, true, false]);
      servers.push(await start(4, ['-bootstrap-expect=0']));
      await eventually(() => put(servers[3]!, 'c', '3'), SOON);
      for (const server of servers) {
        for (const [key, value] of [
          ['a', '1'],
          ['b', '2'],
          ['c', '3'],
        ] as const) {
          expect(await read(server, key)).toBe(value);
        }
      }
      const listed = await members();
      expect(listed.map(({ name }) => name).sort()).toEqual(['server-1', 'server-2', 'server-3', 'server-4']);
      expect(listed.filter(({ isLearner }) => isLearner)).toEqual([]);
    }, 240_000);

    it('do not go on with an old disk of one of them: it says so, and enters anew', async () => {
      const server = servers[2]!;
      const names = (await members()).map(({ name }) => name).sort();
      const data = join(server.folder, 'data', 'etcd', 'data');
      const disk = join(server.folder, 'old-disk');
      const stop = async (): Promise<void> => {
        const pid = etcdPid(server);
        await server.kill();
        process.kill(pid, 'SIGKILL');
        await eventually(() => !isRunning(pid), SOON);
      };
      await stop();
      cpSync(data, disk, { recursive: true });
      await server.restart();
      for (let n = 0; n < 50; n++) await eventually(() => put(servers[0]!, 'd', `${n}`), SOON);
      expect(await read(server, 'd')).toBe('49');
      await stop();
      removeFolder(data);
      cpSync(disk, data, { recursive: true });
      await server.restart({ waitUntilReady: false });
      await eventually(() => server.process.exit !== undefined, SOON);
      expect(server.log()).toMatch(
        /older than what it had confirmed to the others.*moved to .*data\.old: start this server again/,
      );
      await server.restart();
      expect(await read(server, 'd')).toBe('49');
      const listed = await members();
      expect(listed.map(({ name }) => name).sort()).toEqual(names);
      expect(listed.filter(({ isLearner }) => isLearner)).toEqual([]);
    }, 240_000);

    it('take a dead one out once a fourth makes up for it, which enters anew when it comes back', async () => {
      const dead = servers[1]!;
      const pid = etcdPid(dead);
      await dead.kill();
      process.kill(pid, 'SIGKILL');
      const names = async () => (await members()).map(({ name }) => name).sort();
      await eventually(async () => expect(await names()).toEqual(['server-1', 'server-3', 'server-4']), {
        withinMs: 180_000,
        everyMs: 500,
      });
      const peers = async () => {
        const { Servers } = await servers[0]!.get<{ Servers: { Node: string }[] }>('/v1/operator/raft/configuration');
        return Servers.map(({ Node }) => Node).sort();
      };
      await eventually(async () => expect(await peers()).toEqual(['server-1', 'server-3', 'server-4']), SOON);
      await dead.restart();
      expect(await names()).toEqual(['server-1', 'server-2', 'server-3', 'server-4']);
      expect(await read(dead, 'c')).toBe('3');
    }, 360_000);

    it('stay the same member at a new address', async () => {
      const old = servers[3]!;
      const before = (await members()).find(({ name }) => name === 'server-4')!;
      // The dead one must not be taken out in between.
      const autopilot = { method: 'PUT', body: JSON.stringify({ CleanupDeadServers: false }) };
      expect((await fetch(`${servers[0]!.url}/v1/operator/autopilot/configuration`, autopilot)).status).toBe(200);
      const pid = etcdPid(old);
      await old.kill();
      process.kill(pid, 'SIGKILL');
      moved = await start(5, ['-bootstrap-expect=0', `-data-dir=${join(old.folder, 'data')}`], 'server-4');
      const after = (await members()).find(({ name }) => name === 'server-4')!;
      expect(after).toMatchObject({ ID: before.ID, peerURLs: [`http://127.0.0.15:${ports.peer}`] });
      expect(await read(moved, 'c')).toBe('3');
    }, 240_000);

    it('come back under their name from another machine without their disk', async () => {
      const lost = servers[2]!;
      const pid = etcdPid(lost);
      await lost.kill();
      process.kill(pid, 'SIGKILL');
      replaced = await start(6, ['-bootstrap-expect=3'], 'server-3');
      const listed = await members();
      expect(listed.map(({ name }) => name).sort()).toEqual(['server-1', 'server-2', 'server-3', 'server-4']);
      const own = listed.find(({ name }) => name === 'server-3');
      expect(own?.peerURLs).toEqual([`http://127.0.0.16:${ports.peer}`]);
      expect(await read(replaced, 'c')).toBe('3');
      const peer = async () => {
        const { Servers } = await servers[0]!.get<{ Servers: { Node: string; Address: string }[] }>(
          '/v1/operator/raft/configuration',
        );
        return Servers.filter(({ Node }) => Node === 'server-3').map(({ Address }) => Address);
      };
      await eventually(async () => expect(await peer()).toEqual([`127.0.0.16:${ports.server}`]), SOON);
    }, 240_000);
  });
}
