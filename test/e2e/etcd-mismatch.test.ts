import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { HealthEntry } from '../../api/shapes/catalog.ts';
import { CURRENT_ETCD, describeEtcd, INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { digAddresses } from '../support/processes/dig.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { runLictor } from '../support/processes/run-lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

const WITHIN = { withinMs: 90_000 };

interface Read {
  readonly value: string | undefined;
  readonly index: number;
}

async function put(server: AgentProcess, key: string, value: string): Promise<{ status: number; text: string }> {
  const options = { method: 'PUT', body: value, signal: AbortSignal.timeout(60_000) };
  const response = await fetch(`${server.url}/v1/kv/${key}`, options);
  return { status: response.status, text: await response.text() };
}

async function wrote(server: AgentProcess, key: string, value: string): Promise<void> {
  expect(await put(server, key, value)).toEqual({ status: 200, text: 'true' });
}

async function read(server: AgentProcess, key: string, more = ''): Promise<Read> {
  const response = await fetch(`${server.url}/v1/kv/${key}?${more}`, { signal: AbortSignal.timeout(60_000) });
  if (response.status !== 200 && response.status !== 404)
    throw new Error(`${response.status} ${await response.text()}`);
  const text = await response.text();
  const [found] = response.status === 200 ? (JSON.parse(text) as { Value: string }[]) : [];
  return {
    value: found && Buffer.from(found.Value, 'base64').toString(),
    index: Number(response.headers.get('x-consul-index')),
  };
}

async function refused(server: AgentProcess, text: RegExp): Promise<void> {
  await eventually(async () => {
    const answer = await put(server, 'refused', 'x');
    expect(answer.status).toBe(500);
    expect(answer.text).toMatch(text);
  }, WITHIN);
}

for (const etcd of [INSTALLED_ETCD, CURRENT_ETCD]) {
  describeEtcd(etcd, `servers whose ${etcd.name} is not what it was`, (file) => {
    let cluster: EtcdCluster;
    let servers: AgentProcess[];
    const folders: string[] = [];
    const newFolder = (): string => {
      const folder = tempFolder('etcd-disk');
      folders.push(folder);
      return folder;
    };

    beforeEach(async () => {
      cluster = await EtcdCluster.start({ file });
      const args = [`-etcd-endpoints=${cluster.endpoints.join(',')}`];
      servers = await Promise.all([1, 2].map((n) => startServer({ node: `server-${n}`, args })));
      await eventually(() => wrote(servers[0]!, 'first', '1'), WITHIN);
    }, 120_000);
    afterEach(async () => {
      await Promise.all((servers ?? []).map((server) => server.stop()));
      await cluster?.stop();
      for (const folder of folders.splice(0)) removeFolder(folder);
    }, 60_000);

    /** Stops etcd, keeps its disk, and starts it with another one (undefined: an empty one). */
    const exchangeDisk = async (disk?: string): Promise<string> => {
      await cluster.kill();
      const kept = newFolder();
      cpSync(cluster.dataFolder(), kept, { recursive: true });
      rmSync(cluster.dataFolder(), { recursive: true });
      if (disk) cpSync(disk, cluster.dataFolder(), { recursive: true });
      await cluster.restart();
      return kept;
    };

    it('but empty: refuse writes with what to do, answer what they know, and go on when its data is back', async () => {
      const body = { Node: 'out', Address: '10.9.9.9', Service: { ID: 'web', Service: 'web', Port: 80 } };
      const registered = await fetch(`${servers[0]!.url}/v1/catalog/register`, {
        method: 'PUT',
        body: JSON.stringify(body),
      });
      expect(registered.status).toBe(200);
      const before = await read(servers[0]!, 'first');
      const disk = await exchangeDisk();
      for (const server of servers) {
        await refused(server, /No cluster leader: etcd holds no store.*-etcd-endpoints.*bring its data back/);
        expect(server.log()).toMatch(/etcd holds no store: its key lictor\/root is gone/);
        expect((await read(server, 'first', 'stale')).value).toBe('1');
        const found = await server.get<HealthEntry[]>('/v1/health/service/web?stale');
        expect(found.map(({ Service }) => Service.ID)).toEqual(['web']);
        expect(await digAddresses(server.dnsPort, 'web.service.consul')).toEqual(['10.9.9.9']);
      }
      // One that is started now does not begin empty.
      await servers[1]!.kill();
      const again = await runLictor(servers[1]!.args);
      expect(again.code).toBe(1);
      expect(again.stderr.trim().split('\n').at(-1)).toMatch(/etcd holds no store.*remove etcd-store\.json/);
      expect(await cluster.keys('')).toEqual([]);

      await exchangeDisk(disk);
      await eventually(() => wrote(servers[0]!, 'second', '2'), WITHIN);
      await servers[1]!.restart();
      for (const server of servers) {
        expect((await read(server, 'first')).value).toBe('1');
        expect((await read(server, 'second')).index).toBeGreaterThan(before.index);
      }
    }, 240_000);

    it('but changed by something else: do not start, say why, and take what is there when asked to', async () => {
      await eventually(() => wrote(servers[0]!, 'second', '2'), WITHIN);
      const before = await read(servers[0]!, 'first');
      for (const server of servers) await server.kill();
      const [entry] = (await cluster.keys('lictor/data/')).filter((key) => key.endsWith('/second'));
      await cluster.call('kv/deleterange', { key: Buffer.from(entry!).toString('base64') });
      const again = await runLictor(servers[0]!.args);
      expect(again.code).toBe(1);
      const line = again.stderr.trim().split('\n').at(-1)!;
      expect(line).toMatch(/below etcd's prefix lictor\/ something else than a server has written: \d+ entries/);
      const [, key, id] = /etcdctl put (\S+) (\S+), then start the servers/.exec(line)!;
      await cluster.put(key!, id!);
      for (const server of servers) await server.restart();
      await eventually(() => wrote(servers[1]!, 'third', '3'), WITHIN);
      for (const server of servers) {
        expect((await read(server, 'first')).value).toBe('1');
        expect((await read(server, 'second')).value).toBeUndefined();
        expect((await read(server, 'third')).index).toBeGreaterThan(before.index);
      }
    }, 240_000);

    it('but another cluster at the same place: refuse writes with what to do, and go on when it is back', async () => {
      await cluster.kill();
      const disk = newFolder();
      cpSync(cluster.dataFolder(), disk, { recursive: true });
      await cluster.restart(0, { wiped: true, args: ['--initial-cluster-token', 'another'] });
      for (const server of servers) {
        await refused(server, /No cluster leader: .*is of another etcd cluster than before.*Correct -etcd-endpoints/);
        expect((await read(server, 'first', 'stale')).value).toBe('1');
      }
      expect(await cluster.keys('')).toEqual([]);
      await exchangeDisk(disk);
      for (const server of servers) await eventually(() => wrote(server, 'second', '2'), WITHIN);
    }, 240_000);

    it('but older: refuse writes with what to do; after a restart of one go on from there with rising indexes', async () => {
      const old = await exchangeDisk();
      await exchangeDisk(old);
      for (const n of [1, 2, 3]) await eventually(() => wrote(servers[0]!, 'later', `${n}`), WITHIN);
      const snapshot = join(newFolder(), 'kept.snap');
      const saved = await runLictor(['snapshot', 'save', snapshot], { agent: servers[0]! });
      expect(saved.stderr).toBe('');
      // Each has seen the newest itself, not by the leader.
      for (const server of servers)
        await eventually(async () => expect((await read(server, 'later', 'stale')).value).toBe('3'), WITHIN);
      const known = await Promise.all(servers.map((server) => read(server, 'later', 'stale')));
      await exchangeDisk(old);
      for (const server of servers) {
        await refused(server, /No cluster leader: etcd went back from revision \d+ to \d+.*restart one of them/);
        expect((await read(server, 'later', 'stale')).value).toBe('3');
      }
      // A client waits at the other server with the index that it has.
      const waiting = read(servers[1]!, 'later', `stale&wait=60s&index=${known[1]!.index}`);
      await servers[0]!.terminate();
      await servers[0]!.restart();
      expect(servers[0]!.log()).toMatch(/etcd went back, as with an old disk or backup/);
      await eventually(() => wrote(servers[0]!, 'after', '1'), WITHIN);
      const woken = await waiting;
      expect(woken.index).toBeGreaterThan(known[1]!.index);
      expect(woken.value).toBeUndefined();
      for (const [n, server] of servers.entries()) {
        expect((await read(server, 'later')).value).toBeUndefined();
        expect((await read(server, 'after')).value).toBe('1');
        expect((await read(server, 'after')).index).toBeGreaterThan(known[n]!.index);
      }
      // What was lost comes back with a snapshot.
      const last = await read(servers[1]!, 'after');
      const restored = await runLictor(['snapshot', 'restore', snapshot], { agent: servers[1]! });
      expect(restored.stderr).toBe('');
      for (const server of servers) {
        await eventually(async () => expect((await read(server, 'later')).value).toBe('3'), WITHIN);
        expect((await read(server, 'later')).index).toBeGreaterThan(last.index);
      }
    }, 240_000);

    it('but another cluster, by other flags: refused at the start with what to do, nothing written there', async () => {
      const other = await EtcdCluster.start({ file });
      try {
        const [server] = servers;
        await server!.terminate();
        const args = server!.args.filter((arg) => !arg.startsWith('-etcd-endpoints'));
        const none = await runLictor([...args, `-etcd-endpoints=${other.url()}`]);
        expect(none.code).toBe(1);
        expect(none.stderr.trim().split('\n').at(-1)).toMatch(/etcd holds no store.*-etcd-endpoints/);
        const mixed = await runLictor([...args, `-etcd-endpoints=${other.url()},${cluster.url()}`]);
        expect(mixed.code).toBe(1);
        expect(mixed.stderr.trim().split('\n').at(-1)).toMatch(/-etcd-endpoints\): .* are of different clusters/);
        expect(await other.keys('')).toEqual([]);
        await server!.restart();
        expect((await read(server!, 'first')).value).toBe('1');
      } finally {
        await other.stop();
      }
    }, 120_000);

    it('but new, and both start on it at once with empty data folders: one store', async () => {
      const empty = await EtcdCluster.start({ file });
      const args = [`-etcd-endpoints=${empty.url()}`];
      const racing = await Promise.all([1, 2, 3].map((n) => startServer({ node: `server-${n}`, args })));
      try {
        for (const [n, server] of racing.entries()) {
          await eventually(() => wrote(server, `by-${n}`, 'x'), WITHIN);
          for (const one of racing) expect((await read(one, `by-${n}`)).value).toBe('x');
        }
        const heads = (await empty.keys('lictor/data/')).filter((key) => key.endsWith('/head'));
        expect(heads).toHaveLength(1);
      } finally {
        await Promise.all(racing.map((server) => server.stop()));
        await empty.stop();
      }
    }, 120_000);
  });
}
