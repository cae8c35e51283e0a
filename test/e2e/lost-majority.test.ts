import { CURRENT_ETCD, describeEtcd } from '../support/etcd/binaries.ts';
import type { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { ServersOnEtcd } from '../support/etcd/servers-on-etcd.ts';
import { eventually } from '../support/eventually.ts';
import type { AgentProcess } from '../support/processes/lictor.ts';

const WITHIN = { withinMs: 120_000 };
const SURVIVOR = 2;

interface EtcdMember {
  readonly ID: string;
  readonly name: string;
  readonly peerURLs: readonly string[];
}

interface Pair {
  readonly Key: string;
  readonly ModifyIndex: number;
}

async function put(server: AgentProcess, key: string): Promise<Response> {
  const options = { method: 'PUT', body: 'x', signal: AbortSignal.timeout(60_000) };
  return fetch(`${server.url}/v1/kv/kept/${key}`, options);
}

async function wrote(server: AgentProcess, key: string): Promise<void> {
  expect((await put(server, key)).status).toBe(200);
}

async function keys(server: AgentProcess, more = ''): Promise<{ index: number; pairs: Pair[] }> {
  const response = await fetch(`${server.url}/v1/kv/kept/?recurse${more}`, { signal: AbortSignal.timeout(30_000) });
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  return { index: Number(response.headers.get('x-consul-index')), pairs: (await response.json()) as Pair[] };
}

/** The steps of docs/servers.md, "A lost majority". */
describeEtcd(CURRENT_ETCD, 'servers that have lost two of three etcds for good', (file) => {
  let cluster: EtcdCluster;
  let servers: readonly AgentProcess[];
  let both: ServersOnEtcd;
  beforeAll(async () => {
    both = await ServersOnEtcd.start({ file });
    cluster = both.etcd;
    servers = both.servers;
  }, 180_000);
  afterAll(() => both?.stop(), 60_000);

  it('go on from the member that is left, with all that was acknowledged and rising indexes, and grow again', async () => {
    await eventually(() => wrote(servers[0]!, 'first'), WITHIN);
    for (const [n, server] of servers.entries()) await wrote(server, `${n}`);
    const before = await keys(servers[0]!);
    const { members } = await cluster.call<{ members: EtcdMember[] }>('cluster/member/list', {});
    // A linearizable read at the survivor: it has everything.
    await cluster.call('kv/range', { key: Buffer.from('x').toString('base64') }, SURVIVOR);
    await Promise.all([cluster.kill(0), cluster.kill(1)]);

    const refused = await put(servers[1]!, 'refused');
    expect(refused.status).toBeGreaterThanOrEqual(500);
    for (const server of servers) expect((await keys(server, '&stale')).pairs).toHaveLength(4);

    await cluster.kill(SURVIVOR);
    await cluster.restart(SURVIVOR, { args: ['--force-new-cluster'] });
    for (const [n, server] of servers.entries()) await eventually(() => wrote(server, `after-${n}`), WITHIN);
    const after = await keys(servers[0]!);
    expect(after.index).toBeGreaterThan(before.index);
    const found = new Map(after.pairs.map(({ Key, ModifyIndex }) => [Key, ModifyIndex]));
    for (const { Key, ModifyIndex } of before.pairs) expect([Key, found.get(Key)]).toEqual([Key, ModifyIndex]);

    let known = [`m${SURVIVOR}=${members.find(({ name }) => name === `m${SURVIVOR}`)!.peerURLs[0]}`];
    for (const n of [0, 1]) {
      const { peerURLs } = members.find(({ name }) => name === `m${n}`)!;
      await eventually(() => cluster.call('cluster/member/add', { peerURLs }, SURVIVOR), WITHIN);
      known = [...known, `m${n}=${peerURLs[0]}`];
      const args = ['--initial-cluster-state', 'existing', '--initial-cluster', known.join(',')];
      await cluster.restart(n, { wiped: true, args });
    }
    await cluster.kill(SURVIVOR);
    await eventually(() => wrote(servers[2]!, 'without-the-survivor'), WITHIN);
    const last = await keys(servers[2]!);
    expect(last.index).toBeGreaterThan(after.index);
    expect(last.pairs.length).toBeGreaterThanOrEqual(8);
  }, 300_000);
});
