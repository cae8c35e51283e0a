import type { HealthCheck, HealthEntry } from '../../api/shapes/catalog.ts';
import { CURRENT_ETCD, INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import type { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { ServersOnEtcd } from '../support/etcd/servers-on-etcd.ts';
import { eventually } from '../support/eventually.ts';
import type { AgentProcess } from '../support/processes/lictor.ts';
import { describeReal } from '../support/require-real.ts';

const SOON = { withinMs: 60_000 };

async function put(server: AgentProcess, path: string, body: unknown): Promise<{ status: number; text: string }> {
  const response = await fetch(`${server.url}${path}`, {
    method: 'PUT',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  return { status: response.status, text: await response.text() };
}

function registration(id: string): object {
  return { Node: 'outside', Address: '10.9.9.9', Service: { ID: id, Service: 'web', Port: 80 } };
}

async function ids(server: AgentProcess, more = ''): Promise<string[]> {
  const entries = await server.get<HealthEntry[]>(`/v1/health/service/web${more}`);
  return entries.map(({ Service }) => Service.ID);
}

for (const etcd of [INSTALLED_ETCD, CURRENT_ETCD]) {
  describeReal('etcd', etcd.file !== undefined, etcd.install, `three servers on ${etcd.name}`, () => {
    let cluster: EtcdCluster;
    let servers: readonly AgentProcess[];
    let both: ServersOnEtcd;

    beforeAll(async () => {
      both = await ServersOnEtcd.start({ file: etcd.file! });
      cluster = both.etcd;
      servers = both.servers;
    }, 180_000);
    afterAll(() => both?.stop(), 60_000);

    const leader = async (among = servers): Promise<AgentProcess> => {
      return servers[await both.leader(among.map((server) => servers.indexOf(server)))]!;
    };

    it('take writes at each, show them at all, and list themselves with living agents', async () => {
      await leader();
      for (const [n, server] of servers.entries()) {
        expect(await put(server, '/v1/catalog/register', registration(`web-${n}`))).toMatchObject({ text: 'true' });
        for (const other of servers) expect(await ids(other)).toContain(`web-${n}`);
      }
      await eventually(async () => {
        const checks = await servers[0]!.get<HealthCheck[]>('/v1/health/state/passing');
        const alive = checks.filter(({ CheckID }) => CheckID === 'serfHealth').map(({ Node }) => Node);
        expect(alive.sort()).toEqual(['server-1', 'server-2', 'server-3']);
      }, SOON);
      expect(await servers[1]!.get<string[]>('/v1/status/peers')).toHaveLength(3);
    }, 120_000);

    it('go on when the leader is killed: nothing acknowledged is lost, stale reads never stop, the dead one comes back', async () => {
      const first = await leader();
      const others = servers.filter((server) => server !== first);
      const acknowledged: string[] = [];
      let writing = true;
      const writer = (async () => {
        for (let n = 0; writing; n++) {
          const answer = await put(others[n % 2]!, `/v1/kv/failover/${n}`, String(n)).catch(() => undefined);
          if (answer?.text === 'true') acknowledged.push(`failover/${n}`);
        }
      })();
      await eventually(async () => expect(acknowledged.length).toBeGreaterThan(5), SOON);
      await first.kill();
      const before = acknowledged.length;
      for (let n = 0; n < 20; n++) expect((await ids(others[n % 2]!, '?stale')).length).toBeGreaterThan(0);
      const next = await leader(others);
      await eventually(async () => expect(acknowledged.length).toBeGreaterThan(before + 5), SOON);
      writing = false;
      await writer;
      const keys = await next.get<string[]>('/v1/kv/failover/?keys');
      expect(keys).toEqual(expect.arrayContaining(acknowledged));
      await first.restart();
      await leader();
      expect(await first.get<string[]>('/v1/kv/failover/?keys')).toEqual(keys);
    }, 180_000);

    it('do not let a leader that was paused write or answer for the others', async () => {
      const first = await leader();
      const others = servers.filter((server) => server !== first);
      expect((await put(first, '/v1/kv/paused', 'before')).text).toBe('true');
      first.pause();
      await leader(others);
      expect((await put(others[0]!, '/v1/kv/paused', 'after')).text).toBe('true');
      first.resume();
      // Whether it forwards already or has just woken: never the old value, never a lost write.
      const response = await fetch(`${first.url}/v1/kv/paused?raw`, { signal: AbortSignal.timeout(30_000) });
      expect(await response.text()).toBe('after');
      await leader();
      expect((await put(first, '/v1/kv/paused', 'last')).text).toBe('true');
      for (const server of servers) {
        const read = await fetch(`${server.url}/v1/kv/paused?raw`, { signal: AbortSignal.timeout(30_000) });
        expect(await read.text()).toBe('last');
      }
    }, 180_000);

    it('without a quorum refuse writes in time with a clear error, answer stale reads with their age, and recover', async () => {
      await leader();
      await cluster.kill(1);
      await cluster.kill(2);
      const refused = await eventually(async () => {
        const answer = await put(servers[0]!, '/v1/kv/no-quorum', 'x');
        expect(answer.status).toBe(500);
        return answer;
      }, SOON);
      expect(refused.text).toMatch(/No cluster leader|etcd/);
      const stale = await fetch(`${servers[1]!.url}/v1/health/service/web?stale`);
      expect(stale.status).toBe(200);
      expect(Number(stale.headers.get('x-consul-lastcontact'))).toBeGreaterThan(0);
      await cluster.restart(1);
      await cluster.restart(2);
      await eventually(async () => {
        expect((await put(servers[0]!, '/v1/kv/quorum-again', 'x')).text).toBe('true');
      }, SOON);
    }, 240_000);
  });
}
