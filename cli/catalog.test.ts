import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { catalogCommand } from './catalog.ts';
import type { Command } from './command.ts';
import { resolveCommand } from './resolve.ts';

const node = (name: string, address: string) => ({
  Node: name,
  ID: '1234567890',
  Address: address,
  Datacenter: 'dc1',
  Meta: null,
});
const ANSWERS: Record<string, unknown> = {
  '/v1/catalog/datacenters': ['dc1'],
  '/v1/catalog/services': { web: ['v2', 'v1'], consul: [] },
  '/v1/catalog/nodes': [node('n1', '10.0.0.1')],
  '/v1/catalog/node/n1': { Node: node('n1', '10.0.0.1'), Services: { w1: { Service: 'web', Tags: ['v1'] } } },
  '/v1/agent/members': [
    { Name: 'n1', Addr: '10.0.0.1', Port: 8301, Status: 1, Tags: { role: 'consul', dc: 'dc1', build: '1.0' } },
  ],
  '/v1/health/service/web': [
    {
      Node: node('n1', '10.0.0.1'),
      Service: { ID: 'web-1', Address: '', Port: 80 },
      Checks: [{ Name: 'http', Status: 'critical', Output: 'connection refused\nmore' }],
    },
    { Node: node('n2', '10.0.0.2'), Service: { ID: 'web-2', Address: '::1', Port: 80 }, Checks: [] },
  ],
  '/v1/health/service/none': [],
  '/v1/catalog/service/web': ['n1', 'n2', 'n2'].map((Node) => ({
    Node,
    ID: '1234567890',
    Address: '10.0.0.1',
    Datacenter: 'dc1',
    TaggedAddresses: { wan: '2.2.2.2', lan: '10.0.0.1' },
    NodeMeta: { rack: 'r1' },
    ServiceID: 'web-1',
  })),
  '/v1/catalog/service/none': [],
};

let server: Server;
let asked: string[] = [];
beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.url!);
    const body = ANSWERS[new URL(request.url!, 'http://x').pathname];
    response.statusCode = body === undefined ? 500 : 200;
    response.end(body === undefined ? 'No cluster leader' : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  asked = [];
});

async function run(command: Command, ...argv: string[]): Promise<string> {
  let out = '';
  const sink = new Writable({
    write(chunk, _encoding, done) {
      out += String(chunk);
      done();
    },
  });
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const io = { stdout: sink, stderr: sink, env: { CONSUL_HTTP_ADDR: address }, signal: new AbortController().signal };
  await command.run(argv, io);
  return out;
}

describe('lictor catalog', () => {
  it('lists names as Consul does', async () => {
    expect(await run(catalogCommand, 'services')).toBe('consul\nweb\n');
    expect(await run(catalogCommand, 'services', '-tags')).toBe('consul\nweb     v1,v2\n');
    expect(await run(catalogCommand, 'services', '-node=n1')).toBe('web\n');
    expect(await run(catalogCommand, 'datacenters')).toBe('dc1\n');
  });

  it('prints nodes in columns, also of one service', async () => {
    expect(await run(catalogCommand, 'nodes')).toBe('Node  ID        Address   DC\nn1    12345678  10.0.0.1  dc1\n');
    expect(await run(catalogCommand, 'nodes', '-service', 'web')).toContain('n2');
  });

  it('shows everything of nodes, narrows the question down, and says when nothing is left', async () => {
    expect(await run(catalogCommand, 'nodes', '-service=web', '-detailed')).toBe(
      'Node  ID          Address   DC   TaggedAddresses            Meta\nn1    1234567890  10.0.0.1  dc1  lan=10.0.0.1, wan=2.2.2.2  rack=r1\nn2    1234567890  10.0.0.1  dc1  lan=10.0.0.1, wan=2.2.2.2  rack=r1\n',
    );
    const narrow = ['-node-meta=a=b', '-node-meta=c=d=e', '-filter=Node == "n1"', '-near=_agent'];
    expect(await run(catalogCommand, 'nodes', '-service=none', ...narrow)).toMatch(/^No nodes match the given query/);
    expect(asked.at(-1)).toBe(
      '/v1/catalog/service/none?filter=Node+%3D%3D+%22n1%22&near=_agent&node-meta=a%3Ab&node-meta=c%3Ad%3De',
    );
    await run(catalogCommand, 'services', '-node-meta=a=b');
    expect(asked.at(-1)).toBe('/v1/catalog/services?node-meta=a%3Ab');
    await expect(run(catalogCommand, 'services', '-node=n1', '-node-meta=a=b')).rejects.toThrow(/exclude each other/);
    await expect(run(catalogCommand, 'nodes', '-node-meta=a')).rejects.toThrow(/write key=value/);
  });

  it('prints JSON for machines', async () => {
    expect(JSON.parse(await run(catalogCommand, 'services', '--format', 'json'))).toEqual(
      ANSWERS['/v1/catalog/services'],
    );
  });

  it('names a wrong flag, and prints examples as help', async () => {
    await expect(run(catalogCommand, 'services', '-tag')).rejects.toThrow(/unknown option '--tag'/);
    await expect(run(catalogCommand, 'services', '-format=xml')).rejects.toThrow('use pretty or json');
    expect(await run(catalogCommand, '--help')).toContain('lictor catalog nodes -service web');
  });
});

describe('lictor resolve', () => {
  it('says why an instance is not healthy', async () => {
    const lines = (await run(resolveCommand, 'web')).split('\n');
    expect(lines[1]).toMatch(/^web-1 +n1 +10\.0\.0\.1:80 +critical +http: connection refused$/);
    expect(lines[2]).toMatch(/^web-2 +n2 +\[::1\]:80 +passing$/);
  });

  it('hands filters on', async () => {
    await run(resolveCommand, 'web', '-passing', '-tag', 'v1', '-namespace', 'shop');
    expect(asked[0]).toBe('/v1/health/service/web?ns=shop&passing=true&tag=v1');
  });

  it('fails with the server’s text, never with an empty list', async () => {
    await expect(run(resolveCommand, 'broken')).rejects.toThrow(/500 .*No cluster leader/);
  });

  it('says how to give the address when nothing listens there', async () => {
    await expect(run(resolveCommand, 'web', '-http-addr', '127.0.0.1:1')).rejects.toThrow(
      /Set -http-addr or CONSUL_HTTP_ADDR/,
    );
  });
});
