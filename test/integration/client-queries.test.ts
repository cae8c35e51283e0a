import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientAgent } from '../../agent/main.ts';
import { ORIGIN } from '../../api/shapes/coordinate.ts';
import type { QueryAnswer } from '../../api/shapes/prepared-query.ts';
import type { UserEvent } from '../../api/shapes/user-event.ts';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom } from '../../core/random.ts';
import { answerSettings } from '../../dns/dns-options.ts';
import { createResponder } from '../../dns/responder.ts';
import { type Running, startClientAgent, startServer } from '../support/agent-cluster.ts';
import { Dig } from '../support/dig.ts';

/** Queries, events and the rarer DNS names as an agent in client mode serves them, over HTTP to a server. */
describe('an agent in client mode', () => {
  let dataDir: string;
  let server: Awaited<ReturnType<typeof startServer>>;
  let agent: Running<ClientAgent>;
  let dig: Dig;

  const send = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await fetch(agent.origin + path, { method, headers, body: text });
    const read = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${read}`);
    return read === '' ? undefined : JSON.parse(read);
  };
  const nodesOf = (answer: QueryAnswer) => answer.Nodes.map((entry) => entry.Node.Node);

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'lictor-queries-'));
    server = await startServer();
    agent = await startClientAgent({ dataDir, servers: [`127.0.0.1:${server.parts.port}`], node: 'node-1' });
    const clock = new SystemClock();
    const deps = {
      reader: agent.parts.view,
      clock,
      log: silentLogger,
      metrics: new Metrics(),
      random: new SeededRandom(1),
    };
    const settings = answerSettings({ hosts: [''], port: 0, datacenter: 'dc1' });
    dig = new Dig(createResponder(deps, { settings, lookupTimeoutMs: 5_000 }));
    const place = async (Node: string, Address: string, x: number) => {
      await send('PUT', '/v1/catalog/register', { Node, Address, Service: { ID: 'web', Service: 'web', Port: 80 } });
      await send('PUT', '/v1/coordinate/update', { Node, Coord: { ...ORIGIN, Vec: [x, 0, 0, 0, 0, 0, 0, 0] } });
    };
    await place('far', '10.0.0.3', 0.3);
    await place('node-1', '127.0.0.1', 0.1);
    await place('middle', '10.0.0.2', 0.2);
    const proxy = { DestinationServiceName: 'web' };
    const Service = { ID: 'p', Service: 'web-proxy', Kind: 'connect-proxy', Port: 21000, Proxy: proxy };
    await send('PUT', '/v1/catalog/register', { Node: 'far', Address: '10.0.0.3', Service });
    await send('POST', '/v1/query', {
      Name: 'near-web',
      Service: { Service: 'web', Near: '_agent' },
      DNS: { TTL: '9s' },
    });
  });
  afterAll(async () => {
    await agent.stop();
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  it('is itself what _agent means, and its client what _ip means', async () => {
    expect(nodesOf(await send('GET', '/v1/query/near-web/execute'))).toEqual(['node-1', 'middle', 'far']);
    const fromFar = { 'x-forwarded-for': '10.0.0.3' };
    expect(nodesOf(await send('GET', '/v1/query/near-web/execute?near=_ip', undefined, fromFar))[0]).toBe('far');
    expect(nodesOf(await send('GET', '/v1/query/near-web/execute?near=_ip'))[0]).toBe('node-1');
  });

  it('lists the events that are meant for its own node', async () => {
    await send('PUT', '/v1/event/fire/all', 'x');
    await send('PUT', '/v1/event/fire/mine?node=^node-1$&service=^web$');
    await send('PUT', '/v1/event/fire/others?node=^far$');
    const events: UserEvent[] = await send('GET', '/v1/event/list');
    expect(events.map(({ Name }) => Name)).toEqual(['all', 'mine']);
  });

  it.each([
    ['web.connect.consul', 'A', ['web.connect.consul 0 A 10.0.0.3']],
    ['web.virtual.consul', 'A', ['web.virtual.consul 0 A 240.0.0.1']],
    ['2.0.0.10.in-addr.arpa', 'PTR', ['2.0.0.10.in-addr.arpa 0 PTR middle.node.dc1.consul']],
  ])('answers %s', async (name, type, answer) => {
    expect(await dig.ask(name, type)).toMatchObject({ is: 'NOERROR aa', answer });
  });

  it('answers prepared queries by DNS, and knows what does not exist', async () => {
    const found = await dig.ask('near-web.query.consul', 'SRV');
    expect(found.answer).toHaveLength(3);
    expect(found.answer[0]).toContain(' 9 SRV ');
    for (const name of ['nope.query.consul', 'none.connect.consul', 'none.virtual.consul', '9.9.9.9.in-addr.arpa'])
      expect((await dig.ask(name, name.endsWith('arpa') ? 'PTR' : 'A')).is).toBe('NXDOMAIN aa');
  });
});
