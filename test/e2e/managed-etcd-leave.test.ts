import { existsSync, readFileSync } from 'node:fs';
import { CURRENT_ETCD, INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { etcdFile, isRunning, killEtcd, ManagedServers, putKey, readKey } from '../support/etcd/managed-servers.ts';
import { eventually } from '../support/eventually.ts';
import type { AgentProcess } from '../support/processes/lictor.ts';
import { runLictor } from '../support/processes/run-lictor.ts';
import { describeReal } from '../support/require-real.ts';

const SOON = { withinMs: 60_000, everyMs: 200 };

for (const etcd of [INSTALLED_ETCD, CURRENT_ETCD]) {
  describeReal(
    'etcd',
    etcd.file !== undefined,
    etcd.install,
    `servers with ${etcd.name} of their own that leave`,
    () => {
      let managed: ManagedServers;
      let servers: AgentProcess[];

      const peers = async (of: AgentProcess) => {
        const { stdout } = await runLictor(['operator', 'raft', 'list-peers'], { agent: of });
        return [...stdout.matchAll(/server-\d/g)].map(([name]) => name).sort();
      };
      const etcdPid = (server: AgentProcess) => Number(readFileSync(etcdFile(server, 'etcd.pid'), 'utf8'));
      const isLeader = async (server: AgentProcess) => {
        const { Servers } = await server.get<{ Servers: { Node: string; Leader: boolean }[] }>(
          '/v1/operator/raft/configuration',
        );
        return Servers.find(({ Leader }) => Leader)?.Node === server.name;
      };
      const membersOf = async (n: number) => (await managed.members(n)).map(({ name }) => name).sort();
      const exited = (server: AgentProcess) => eventually(() => expect(server.process.running).toBe(false), SOON);

      beforeAll(async () => {
        managed = await ManagedServers.on(etcd);
        const flags = ['-bootstrap-expect=3', '-hcl=leave_on_terminate = true'];
        servers = await Promise.all([1, 2, 3].map((n) => managed.start(n, n === 2 ? { flags } : {})));
        await eventually(async () => expect(await peers(servers[0]!)).toHaveLength(3), SOON);
      }, 180_000);
      afterAll(() => managed.stop(), 60_000);

      it('go when they are told: the leader hands over, writes go on, and a later start enters anew', async () => {
        const leader = (await Promise.all(servers.map(isLeader))).indexOf(true);
        const leaving = servers[leader]!;
        const others = servers.filter((one) => one !== leaving);
        await putKey(leaving, 'a', '1');
        const pid = etcdPid(leaving);
        const left = await runLictor(['leave'], { agent: leaving });
        expect({ code: left.code, stdout: left.stdout }).toEqual({ code: 0, stdout: 'Graceful leave complete\n' });
        // The other one takes over before the answer, so a write has nobody to wait for.
        const begun = performance.now();
        await putKey(others[0]!, 'b', '2');
        expect(performance.now() - begun).toBeLessThan(5000);
        await exited(leaving);
        // Whoever adopts what has lost its parent takes note of its end.
        await eventually(() => expect(isRunning(pid)).toBe(false), SOON);
        expect(existsSync(etcdFile(leaving, 'data'))).toBe(false);
        expect(existsSync(etcdFile(leaving, 'data.old'))).toBe(true);
        const rest = others.map(({ name }) => name);
        expect(await peers(others[0]!)).toEqual(rest);
        expect(await membersOf(servers.indexOf(others[0]!) + 1)).toEqual(rest);
        for (const server of others) await putKey(server, `c/${server.name}`, '3');
        expect(leaving.process.exit).toEqual({ code: 0, signal: null });
        await leaving.restart();
        await eventually(async () => expect(await peers(leaving)).toEqual(servers.map(({ name }) => name)), SOON);
        expect(await membersOf(leader + 1)).toHaveLength(3);
        expect(await readKey(leaving, 'b')).toBe('2');
      }, 240_000);

      it('leave by SIGTERM where leave_on_terminate says so, and else keep their place', async () => {
        const [first, second, third] = servers as [AgentProcess, AgentProcess, AgentProcess];
        await third.terminate();
        expect(isRunning(etcdPid(third))).toBe(true);
        await third.restart();
        // Etcd removes no member before the others have been connected for 5 s.
        second.process.signal('SIGTERM');
        await exited(second);
        expect(second.process.exit).toEqual({ code: 0, signal: null });
        expect(await membersOf(1)).toEqual(['server-1', 'server-3']);
        await eventually(async () => expect(await peers(first)).toEqual(['server-1', 'server-3']), SOON);
        await putKey(first, 'd', '4');
      }, 240_000);

      it('stay when the others would have no quorum without them, and say so', async () => {
        const [first, , third] = servers as [AgentProcess, AgentProcess, AgentProcess];
        await third.kill();
        killEtcd(third);
        const refused = await runLictor(['leave'], { agent: first });
        expect(refused.code).toBe(1);
        expect(refused.stderr).toMatch(/without server-1 the other servers would have no quorum: server-3 of 1/);
        expect(first.process.running).toBe(true);
        await third.restart();
        await eventually(() => putKey(first, 'e', '5'), SOON);
      }, 240_000);

      it('end with their etcd and keep their data when they are the last', async () => {
        const [first, , third] = servers as [AgentProcess, AgentProcess, AgentProcess];
        await eventually(async () => expect((await runLictor(['leave'], { agent: third })).code).toBe(0), SOON);
        await exited(third);
        expect(await membersOf(1)).toEqual(['server-1']);
        const pid = etcdPid(first);
        await eventually(() => putKey(first, 'f', '6'), SOON);
        expect((await runLictor(['leave'], { agent: first })).code).toBe(0);
        await exited(first);
        // Whoever adopts what has lost its parent takes note of its end.
        await eventually(() => expect(isRunning(pid)).toBe(false), SOON);
        await first.restart();
        expect(await readKey(first, 'f')).toBe('6');
      }, 240_000);
    },
  );
}
