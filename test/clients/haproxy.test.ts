import { HaproxyProcess } from '../support/clients/haproxy.ts';
import { eventually } from '../support/eventually.ts';
import { InstanceServer } from '../support/processes/instance-server.ts';
import { type AgentProcess, startClientAgent, startServer } from '../support/processes/lictor.ts';
import { describeReal, findProgram } from '../support/require-real.ts';

/**
 * A real HAProxy balances over what DNS answers (`server-template` with SRV records, as Consul's guides have it). Who
 * answers its requests is what is judged.
 */
const WITHIN = { withinMs: 60_000 };

const PROGRAM = findProgram('haproxy');

async function put(agent: AgentProcess, path: string, body?: unknown): Promise<void> {
  const response = await fetch(`${agent.url}${path}`, { method: 'PUT', body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`PUT ${path}: ${response.status} ${await response.text()}`);
}

const register = (agent: AgentProcess, instance: InstanceServer, tags: string[]) =>
  put(agent, '/v1/agent/service/register', {
    ID: instance.name,
    Name: 'web',
    Address: instance.host,
    Port: instance.port,
    Tags: tags,
    Check: { CheckID: instance.name, HTTP: `${instance.url}/healthz`, Interval: '1s', Timeout: '5s' },
  });

describeReal(
  'haproxy',
  PROGRAM !== undefined,
  'Debian: haproxy; scripts/install-test-tools.sh does it',
  'HAProxy with servers from DNS',
  () => {
    let server: AgentProcess;
    let client: AgentProcess;
    const instances: InstanceServer[] = [];

    beforeAll(async () => {
      server = await startServer();
      client = await startClientAgent(server, { node: 'node-1' });
      const [one, two] = await Promise.all([InstanceServer.start('one'), InstanceServer.start('two')]);
      instances.push(one, two, await InstanceServer.start('three', { host: '127.0.0.3', port: one.port }));
    }, 120_000);
    afterAll(async () => {
      for (const instance of instances) await instance.stop();
      await client?.stop();
      await server?.stop();
    });

    it.each([
      ['a server', () => server],
      ['a client agent', () => client],
    ] as const)(
      'follows the instances through %s',
      async (_name, agent) => {
        const [one, two, three] = instances as [InstanceServer, InstanceServer, InstanceServer];
        const haproxy = await HaproxyProcess.start(PROGRAM!, agent().dnsPort, {
          all: '_web._tcp.service.consul',
          tagged: '_web._v2.service.consul',
        });
        /** Waits until ten requests in a row are answered by these, each at least once; by nobody: 503. */
        const answeredBy = (backend: string, ...names: string[]) =>
          eventually(async () => {
            const answers = [];
            for (let asked = 0; asked < 10; asked++) answers.push(await haproxy.ask(backend));
            const seen = answers.map(({ status, text }) => (status === 200 ? text : status));
            expect([...new Set(seen)].sort()).toEqual(names.length > 0 ? names : [503]);
          }, WITHIN);
        try {
          await answeredBy('all');
          await register(agent(), one, ['v1']);
          await register(agent(), two, ['v2']);
          await answeredBy('all', 'one', 'two');
          await answeredBy('tagged', 'two');

          await one.setHealth(503);
          await answeredBy('all', 'two');
          await one.setHealth(200);
          await register(agent(), three, ['v2']);
          await answeredBy('all', 'one', 'three', 'two');
          await answeredBy('tagged', 'three', 'two');

          await put(agent(), '/v1/agent/service/maintenance/two?enable=true');
          await answeredBy('all', 'one', 'three');
          await answeredBy('tagged', 'three');
          await put(agent(), '/v1/agent/service/maintenance/two?enable=false');
          await put(agent(), '/v1/agent/service/deregister/three');
          await answeredBy('all', 'one', 'two');

          // Without an answer it keeps what it has, and follows again when there are answers.
          await agent().kill();
          await answeredBy('all', 'one', 'two');
          await agent().restart();
          await put(agent(), '/v1/agent/service/deregister/one');
          await answeredBy('all', 'two');
          await put(agent(), '/v1/agent/service/deregister/two');
          await answeredBy('all');
          await answeredBy('tagged');
        } finally {
          await haproxy.stop();
        }
      },
      180_000,
    );
  },
);
