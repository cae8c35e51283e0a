import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { CURRENT_ETCD, describeEtcd, INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { addressOf, killEtcd, ManagedServers, putKey, readKey } from '../support/etcd/managed-servers.ts';
import { eventually } from '../support/eventually.ts';
import type { AgentProcess } from '../support/processes/lictor.ts';

const SOON = { withinMs: 120_000, everyMs: 200 };

/** The last line of a log that says so, as its fields. */
function stranded(server: AgentProcess): Record<string, string> {
  const line = server
    .log()
    .split('\n')
    .filter((one) => one.includes('the members of etcd do not find each other'))
    .at(-1);
  expect(line).toBeDefined();
  return JSON.parse(line!) as Record<string, string>;
}

/** Runs a command of an operator until it has said so, and ends it. */
async function runUntil(command: string, said: RegExp): Promise<void> {
  const child = spawn('sh', ['-c', `exec ${command}`], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk));
  try {
    await eventually(() => expect(text).toMatch(said), SOON);
  } finally {
    child.kill('SIGTERM');
    await exited;
  }
}

for (const etcd of [INSTALLED_ETCD, CURRENT_ETCD]) {
  describeEtcd(etcd, `servers with ${etcd.name} of their own that have moved at once`, () => {
    let managed: ManagedServers;
    /** Their folders stay. */
    let old: AgentProcess[];
    let present: AgentProcess[];

    beforeAll(async () => {
      managed = await ManagedServers.on(etcd);
      old = await Promise.all([1, 2, 3].map((n) => managed.start(n)));
      present = old;
      for (const server of old) await eventually(() => putKey(server, server.name, 'kept'), SOON);
      // What etcd knows to be acknowledged reaches its disk with what comes next.
      await putKey(old[0]!, 'next', 'x');
    }, 180_000);
    afterAll(() => managed.stop(), 60_000);

    /** Ends all of them; then starts them with their data on these machines. */
    const move = async (to: readonly number[], waitUntilReady: boolean): Promise<AgentProcess[]> => {
      for (const server of present) await server.kill();
      for (const server of old) killEtcd(server);
      return Promise.all(
        old.map((before, at) =>
          managed.start(to[at]!, {
            node: before.name,
            joins: to,
            flags: ['-bootstrap-expect=3', `-data-dir=${join(before.folder, 'data')}`],
            waitUntilReady,
          }),
        ),
      );
    };

    it('find each other as long as one is where it was', async () => {
      present = await move([4, 5, 3], true);
      for (const server of present) {
        for (const { name } of old) expect(await readKey(server, name)).toBe('kept');
        await eventually(() => putKey(server, 'next', 'x'), SOON);
      }
      // Each of them has heard of where the others are.
      for (const n of [4, 5, 3]) {
        await eventually(async () => {
          const urls = (await managed.members(n)).flatMap(({ peerURLs }) => peerURLs);
          for (const at of [4, 5, 3]) expect(urls.join()).toContain(`${addressOf(at)}:`);
        }, SOON);
      }
    }, 240_000);

    it('say where each was and is and what to do, and begin anew by the commands that they show', async () => {
      const moved = await move([6, 7, 8], false);
      const { peer } = managed.ports;
      const all = [4, 5, 3].map(
        (n, at) => `server-${at + 1} (was at ${addressOf(n)}:${peer}, is at ${addressOf(at + 6)})`,
      );
      for (const server of moved) {
        await eventually(() => {
          const text = JSON.stringify(stranded(server));
          for (const one of all) expect(text).toContain(one);
        }, SOON);
      }
      const said = moved.map(stranded);
      const [first] = moved.map((_, at) => at).sort((a, b) => Number(said[b]!.knows) - Number(said[a]!.knows));
      for (const [at, server] of moved.entries()) {
        await server.kill();
        await once(spawn('sh', ['-c', said[at]!.end!]), 'exit');
        const folder = join(old[at]!.folder, 'data', 'etcd');
        if (at !== first) renameSync(folder, `${folder}.old`);
      }
      await runUntil(said[first!]!.begin!, /ready to serve client requests/);
      await moved[first!]!.restart();
      await Promise.all(moved.filter((_, at) => at !== first).map((server) => server.restart()));
      for (const server of moved) {
        for (const { name } of old) expect(await readKey(server, name)).toBe('kept');
        await eventually(() => putKey(server, `new/${server.name}`, 'x'), SOON);
      }
      const urls = (await managed.members(6)).flatMap(({ name, peerURLs }) => peerURLs.map((url) => `${name}=${url}`));
      expect(urls.sort()).toEqual([1, 2, 3].map((n) => `server-${n}=http://${addressOf(n + 5)}:${peer}`));
    }, 240_000);
  });
}
