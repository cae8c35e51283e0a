import { setTimeout as after } from 'node:timers/promises';
import { INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { ServersOnEtcd } from '../support/etcd/servers-on-etcd.ts';
import { type AgentProcess, startClientAgent } from '../support/processes/lictor.ts';
import { describeReal } from '../support/require-real.ts';

const WAIT_S = 20;
/** When the server that leads is killed: with its whole time again a query would be answered twelve seconds later than this. */
const KILLED_AT_S = 16;
const LATEST_S = 32;

describeReal(
  'etcd',
  INSTALLED_ETCD.file !== undefined,
  INSTALLED_ETCD.install,
  'a blocked query whose leader dies',
  () => {
    let cluster: ServersOnEtcd;
    let client: AgentProcess;
    beforeAll(async () => {
      cluster = await ServersOnEtcd.start({ file: INSTALLED_ETCD.file! });
      const args = cluster.servers.map(({ serverPort }) => `-retry-join=127.0.0.1:${serverPort}`);
      client = await startClientAgent(undefined, { node: 'client', args });
    }, 120_000);
    afterAll(async () => {
      await client?.stop();
      await cluster?.stop();
    });

    const key = '/v1/kv/waiting/key';
    const read = async (agent: AgentProcess, query: string) => {
      const begun = performance.now();
      const response = await fetch(`${agent.url}${key}?${query}`, { signal: AbortSignal.timeout(120_000) });
      const text = await response.text();
      const index = response.headers.get('x-consul-index');
      return { status: response.status, index, text, seconds: (performance.now() - begun) / 1000 };
    };

    it('is answered when its own time is over, by a follower and by a client agent', async () => {
      const leader = await cluster.leader();
      const followers = cluster.others(leader).map((n) => cluster.servers[n]!);
      const put = await fetch(`${followers[0]!.url}${key}`, { method: 'PUT', body: '1' });
      expect(await put.text()).toBe('true');
      const { index } = await read(client, '');
      const asked = [...followers, client].flatMap((agent) =>
        ['', '&consistent', '&stale'].map((how) => read(agent, `index=${index}&wait=${WAIT_S}s${how}`)),
      );
      await after(KILLED_AT_S * 1000);
      await cluster.servers[leader]!.kill();
      for (const { status, text, seconds } of await Promise.all(asked)) {
        expect({ status, text }).toMatchObject({ status: 200 });
        expect(seconds).toBeGreaterThan(WAIT_S - 1);
        expect(seconds).toBeLessThan(LATEST_S);
      }
    }, 180_000);
  },
);
