import { INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { describeReal } from '../support/require-real.ts';

const SOON = { withinMs: 60_000 };

interface Pair {
  readonly Key: string;
  readonly Value: string;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

async function call(
  server: AgentProcess,
  method: string,
  path: string,
  body?: string | ArrayBuffer,
): Promise<Response> {
  const options = { method, ...(body === undefined ? {} : { body }), signal: AbortSignal.timeout(60_000) };
  const response = await fetch(`${server.url}${path}`, options);
  if (response.status !== 200) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response;
}

async function keys(server: AgentProcess): Promise<{ index: number; pairs: Pair[] }> {
  const response = await call(server, 'GET', '/v1/kv/moved/?recurse');
  return { index: Number(response.headers.get('x-consul-index')), pairs: (await response.json()) as Pair[] };
}

/** Carries everything from one server to another, as `lictor snapshot save` and `restore` do. */
async function move(from: AgentProcess, to: AgentProcess): Promise<void> {
  const archive = await (await call(from, 'GET', '/v1/snapshot')).arrayBuffer();
  await call(to, 'PUT', '/v1/snapshot', archive);
}

describeReal('etcd', INSTALLED_ETCD.file !== undefined, INSTALLED_ETCD.install, 'moving the catalog', () => {
  let cluster: EtcdCluster;
  let embedded: AgentProcess;
  let shared: AgentProcess;
  let another: AgentProcess;

  beforeAll(async () => {
    cluster = await EtcdCluster.start({ file: INSTALLED_ETCD.file! });
    const args = [`-etcd-endpoints=${cluster.endpoints.join(',')}`];
    [embedded, shared, another] = await Promise.all([
      startServer({ node: 'embedded' }),
      startServer({ node: 'shared', args }),
      startServer({ node: 'another', args }),
    ]);
  }, 180_000);
  afterAll(async () => {
    await Promise.all([embedded, shared, another].map((server) => server?.stop()));
    await cluster?.stop();
  }, 60_000);

  it('from a store of its own to etcd and back keeps what was there, and indexes only rise', async () => {
    for (let n = 0; n < 50; n++) await call(embedded, 'PUT', `/v1/kv/moved/${n}`, `value ${n}`);
    await call(
      embedded,
      'PUT',
      '/v1/catalog/register',
      JSON.stringify({ Node: 'n1', Address: '10.0.0.1', Service: { Service: 'web' } }),
    );
    const before = await keys(embedded);

    await move(embedded, shared);
    const there = await keys(shared);
    expect(there.pairs).toEqual(before.pairs);
    expect(there.index).toBeGreaterThanOrEqual(before.index);
    // Who has never heard of the restore follows it.
    await eventually(async () => expect((await keys(another)).pairs).toEqual(before.pairs), SOON);
    expect(await another.get<object[]>('/v1/catalog/service/web?stale')).toHaveLength(1);

    // Check-and-set goes on where it was.
    const [first] = there.pairs;
    const cas = await call(another, 'PUT', `/v1/kv/moved/0?cas=${first!.ModifyIndex}`, 'changed');
    expect(await cas.text()).toBe('true');
    const changed = await keys(another);
    expect(changed.index).toBeGreaterThan(there.index);

    await move(another, embedded);
    const back = await keys(embedded);
    expect(back.pairs).toEqual(changed.pairs);
    expect(back.index).toBeGreaterThanOrEqual(changed.index);
    expect(back.index).toBeGreaterThan(before.index);
  }, 180_000);
});
