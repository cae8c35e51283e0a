import { execFileSync, execSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CURRENT_ETCD } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const WITHIN = { withinMs: 120_000 };

/** The last commit whose stores in etcd have format 1: its servers refuse what ours raise it to. */
const FORMAT_1 = '9efdba393a';

/** The commit before this one, or what UPGRADE_FROM names. */
const PREVIOUS = process.env.UPGRADE_FROM ?? 'HEAD~1';

/** A commit's id; undefined where git does not have it. */
function idOf(from: string): string | undefined {
  try {
    return execFileSync('git', ['rev-parse', '--verify', '--quiet', `${from}^{commit}`], {
      cwd: ROOT,
      encoding: 'utf8',
    }).trim();
  } catch {
    return undefined;
  }
}

/** The program as it was at a commit, with this checkout's dependencies. */
function programOf(commit: string, folder: string): string {
  mkdirSync(folder);
  execSync(`git archive ${commit} | tar -x -C ${JSON.stringify(folder)}`, { cwd: ROOT });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return join(folder, 'bin', 'lictor');
}

/** Writes keys of its own at one server after the other until it is stopped; a failed write is tried again. */
class Writer {
  readonly acknowledged: string[] = [];
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(servers: readonly AgentProcess[], name: string) {
    this.#done = this.#run(servers, name);
  }

  async more(count: number): Promise<void> {
    const goal = this.acknowledged.length + count;
    await eventually(() => this.acknowledged.length >= goal, WITHIN);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(servers: readonly AgentProcess[], name: string): Promise<void> {
    for (let i = 0; !this.#stopped; i++) {
      const key = `upgrade/${name}-${i}`;
      for (let at = i; !this.#stopped; at++) {
        if (await wrote(servers[at % servers.length]!, key)) {
          this.acknowledged.push(key);
          break;
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }
}

async function wrote(server: AgentProcess, key: string): Promise<boolean> {
  try {
    const options = { method: 'PUT', body: 'x', signal: AbortSignal.timeout(30_000) };
    const answer = await fetch(`${server.url}/v1/kv/${key}`, options);
    return (await answer.text()) === 'true' && answer.ok;
  } catch {
    return false;
  }
}

async function keys(server: AgentProcess): Promise<{ index: number; names: Set<string> }> {
  const response = await fetch(`${server.url}/v1/kv/upgrade/?keys`, { signal: AbortSignal.timeout(30_000) });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return { index: Number(response.headers.get('x-consul-index')), names: new Set((await response.json()) as string[]) };
}

/** Instances with a check each, registered at each server in turn; their names. */
async function registerAtEach(servers: readonly AgentProcess[], round: number): Promise<string[]> {
  const names = servers.map((_, at) => `round-${round}-${at}`);
  for (const [at, name] of names.entries()) {
    const body = JSON.stringify({
      Node: 'upgraded',
      Address: '10.0.0.1',
      Service: { ID: name, Service: 'upgraded', Port: 80, Tags: ['v1'] },
      Check: { CheckID: `c-${name}`, Name: 'alive', Status: 'passing', ServiceID: name },
    });
    await eventually(async () => {
      const answer = await fetch(`${servers[at]!.url}/v1/catalog/register`, { method: 'PUT', body });
      expect(await answer.text()).toBe('true');
    }, WITHIN);
  }
  return names;
}

/** The format that the store's root names. */
async function formatOf(cluster: EtcdCluster): Promise<number> {
  const { kvs } = await cluster.call<{ kvs: { value: string }[] }>('kv/range', {
    key: Buffer.from('lictor/root').toString('base64'),
  });
  return (JSON.parse(Buffer.from(kvs[0]!.value, 'base64').toString()) as { format: number }).format;
}

/** The instances that a server shows as passing, whoever made them; of its own view. */
async function passingAt(server: AgentProcess): Promise<string[]> {
  const found = await server.get<{ Service: { ID: string } }[]>('/v1/health/service/upgraded?passing&stale');
  return found.map(({ Service }) => Service.ID).sort();
}

describe.each([...new Set([PREVIOUS, FORMAT_1])])('servers of the commit %s', (from) => {
  const commit = idOf(from);
  const missing = !commit
    ? `the commit ${from}: git history (git fetch --unshallow)`
    : CURRENT_ETCD.file
      ? undefined
      : CURRENT_ETCD.install;

  (missing ? describe.skip : describe)(missing ? `(needs ${missing})` : 'and of this one', () => {
    const folder = tempFolder('upgrade');
    const servers: AgentProcess[] = [];
    let cluster: EtcdCluster;
    afterAll(async () => {
      await Promise.all(servers.map((server) => server.stop()));
      await cluster?.stop();
      removeFolder(folder);
    }, 60_000);

    it('are replaced one by one while writers go on: nothing acknowledged is lost or hidden, indexes only rise', async () => {
      const bin = programOf(commit!, join(folder, 'previous'));
      cluster = await EtcdCluster.start({ file: CURRENT_ETCD.file! });
      const args = [`-etcd-endpoints=${cluster.endpoints.join(',')}`];
      servers.push(...(await Promise.all([1, 2, 3].map((n) => startServer({ node: `server-${n}`, args, bin })))));
      const writers = [0, 1, 2].map((n) => new Writer(servers, `${n}`));
      await writers[0]!.more(20);
      let index = 0;
      const registered = await registerAtEach(servers, 0);
      for (const [at, server] of servers.entries()) {
        // As a service manager does: an orderly end, then the new program on the same data folder.
        await server.terminate();
        await server.restart({ bin: join(ROOT, 'bin', 'lictor') });
        for (const writer of writers) await writer.more(20);
        for (const one of servers) {
          const found = await eventually(() => keys(one), WITHIN);
          expect(found.index).toBeGreaterThanOrEqual(index);
          index = found.index;
        }
        // Old and new servers show what any of them has taken.
        registered.push(...(await registerAtEach(servers, at + 1)));
        for (const one of servers) {
          await eventually(async () => expect(await passingAt(one)).toEqual([...registered].sort()), WITHIN);
        }
      }
      // Half a minute later nobody needs the form that the earlier version knows.
      await eventually(async () => expect(await formatOf(cluster)).toBe(2), WITHIN);
      registered.push(...(await registerAtEach(servers, servers.length + 1)));
      for (const one of servers) {
        await eventually(async () => expect(await passingAt(one)).toEqual([...registered].sort()), WITHIN);
      }
      await Promise.all(writers.map((writer) => writer.stop()));
      for (const server of servers) {
        const { names } = await eventually(() => keys(server), WITHIN);
        for (const writer of writers) expect(writer.acknowledged.filter((key) => !names.has(key))).toEqual([]);
      }
    }, 300_000);
  });
});
