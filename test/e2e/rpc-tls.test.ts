import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import type { HealthEntry } from '../../api/shapes/catalog.ts';
import { type IssuedCertificate, TestAuthority } from '../support/certificates.ts';
import { INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startClientAgent, startServer } from '../support/processes/lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';
import { describeReal } from '../support/require-real.ts';

const SOON = { withinMs: 60_000 };
let folder: string;
let authority: TestAuthority;
const file = (name: string) => join(folder, name);

function save(name: string, text: string): void {
  writeFileSync(file(`${name}.new`), text);
  renameSync(file(`${name}.new`), file(name));
}

function savePair(name: string, pair: IssuedCertificate): void {
  save(`${name}.pem`, pair.cert);
  save(`${name}-key.pem`, pair.key);
}

/** Writes a configuration and gives the flags that name it. */
function configured(name: string, pair: string, more = ''): string[] {
  save(
    `${name}.hcl`,
    `tls { internal_rpc {
      ca_file = "${file('ca.pem')}"
      cert_file = "${file(`${pair}.pem`)}"
      key_file = "${file(`${pair}-key.pem`)}"
      verify_incoming = true
      verify_server_hostname = true
    } } ${more}`,
  );
  return ['-config-file', file(`${name}.hcl`)];
}

beforeAll(async () => {
  folder = tempFolder('rpc-tls');
  authority = await TestAuthority.create();
  save('ca.pem', authority.pem);
  savePair('server', await authority.issue({ name: 'server.dc1.consul' }));
  savePair('client', await authority.issue({ name: 'client.dc1.consul', usages: ['client', 'server'] }));
  savePair('stranger', await (await TestAuthority.create('another')).issue({ name: 'server.dc1.consul' }));
}, 60_000);
afterAll(() => removeFolder(folder));

async function write(
  agent: AgentProcess,
  path: string,
  body: object | string,
): Promise<{ status: number; text: string }> {
  const response = await fetch(`${agent.url}${path}`, {
    method: 'PUT',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(20_000),
  });
  return { status: response.status, text: await response.text() };
}

const startAgent = (server: AgentProcess, args: readonly string[]) =>
  startClientAgent(server, { node: 'client-1', args });

/** What a client with a certificate gets of the servers' port. */
function handshake(server: AgentProcess, pair: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectTls({
      port: server.serverPort,
      host: '127.0.0.1',
      servername: 'server.dc1.consul',
      ca: readFileSync(file('ca.pem')),
      cert: readFileSync(file(`${pair}.pem`)),
      key: readFileSync(file(`${pair}-key.pem`)),
    });
    socket.on('error', (error) => resolve(`refused: ${error.message}`));
    socket.on('close', () => resolve('refused: closed'));
    socket.on('data', (chunk) => {
      resolve(chunk.toString('latin1').split('\r\n')[0]!);
      socket.destroy();
    });
    socket.on('secureConnect', () => socket.write('GET /v1/status/leader HTTP/1.1\r\nHost: x\r\n\r\n'));
  });
}

describe('TLS between an agent and its server', () => {
  let server: AgentProcess;
  let agent: AgentProcess;
  beforeAll(async () => {
    server = await startServer({ args: configured('server', 'server') });
    agent = await startAgent(server, configured('client', 'client'));
  }, 120_000);
  afterAll(async () => {
    await agent?.stop();
    await server?.stop();
  });

  it('carries registrations, reads and writes', async () => {
    expect(await write(agent, '/v1/agent/service/register', { Name: 'web', Port: 80 })).toMatchObject({ status: 200 });
    await eventually(async () => {
      const [entry] = await server.get<HealthEntry[]>('/v1/health/service/web?passing');
      expect(entry?.Node.Node).toBe('client-1');
    }, SOON);
    expect(await write(agent, '/v1/kv/a', 'through')).toEqual({ status: 200, text: 'true' });
    expect(await server.get('/v1/kv/a')).toMatchObject([{ Value: Buffer.from('through').toString('base64') }]);
  });

  it('shuts out who speaks in the clear or has no certificate of the authority', async () => {
    const signal = AbortSignal.timeout(20_000);
    const inTheClear = fetch(`http://127.0.0.1:${server.serverPort}/v1/status/leader`, { signal });
    await expect(inTheClear).rejects.toThrow('fetch failed');
    expect(await handshake(server, 'stranger')).toMatch(/^refused/);
    expect(await handshake(server, 'client')).toBe('HTTP/1.1 200 OK');
  });

  it('goes on with other certificates after a reload, and leaves the old ones where the new ones are wrong', async () => {
    const next = await TestAuthority.create('the next one');
    const bundle = `${authority.pem}\n${next.pem}`;
    save('ca.pem', bundle);
    for (const one of [server, agent]) expect(await write(one, '/v1/agent/reload', '')).toMatchObject({ status: 200 });
    savePair('server', await next.issue({ name: 'server.dc1.consul' }));
    savePair('client', await next.issue({ name: 'client.dc1.consul' }));
    for (const one of [server, agent]) expect(await write(one, '/v1/agent/reload', '')).toMatchObject({ status: 200 });
    expect(await handshake(server, 'client')).toBe('HTTP/1.1 200 OK');
    expect(await write(agent, '/v1/kv/b', 'renewed')).toEqual({ status: 200, text: 'true' });
    save('client.pem', 'nothing');
    const refused = await write(agent, '/v1/agent/reload', '');
    expect(refused).toMatchObject({ status: 500, text: expect.stringContaining('tls.internal_rpc.cert_file') });
    expect(await write(agent, '/v1/kv/c', 'still')).toEqual({ status: 200, text: 'true' });
  });

  it('is asked of a server that is who it says', async () => {
    save('ca.pem', authority.pem);
    savePair('server', await authority.issue({ name: 'other.dc1.consul' }));
    savePair('client', await authority.issue({ name: 'client.dc1.consul' }));
    for (const one of [server, agent]) expect(await write(one, '/v1/agent/reload', '')).toMatchObject({ status: 200 });
    const stranger = await startServer({ args: configured('impostor', 'server') });
    try {
      const join = await write(agent, `/v1/agent/join/127.0.0.1:${stranger.serverPort}`, '');
      expect(join).toMatchObject({ status: 500, text: expect.stringContaining('server.dc1.consul') });
    } finally {
      await stranger.stop();
    }
  });
});

describeReal('etcd', INSTALLED_ETCD.file !== undefined, INSTALLED_ETCD.install, 'TLS among servers', () => {
  it('carries what is handed on to the leader', async () => {
    save('ca.pem', authority.pem);
    savePair('server', await authority.issue({ name: 'server.dc1.consul' }));
    const cluster = await EtcdCluster.start({ file: INSTALLED_ETCD.file!, members: 1 });
    const args = [`-etcd-endpoints=${cluster.endpoints.join(',')}`, ...configured('one-of-two', 'server')];
    const servers = await Promise.all([1, 2].map((n) => startServer({ node: `server-${n}`, args })));
    try {
      for (const [n, server] of servers.entries()) {
        await eventually(async () => {
          expect(await write(server, `/v1/kv/from-${n}`, 'x')).toEqual({ status: 200, text: 'true' });
        }, SOON);
      }
      for (const server of servers)
        expect(await server.get<string[]>('/v1/kv/from-?keys')).toEqual(['from-0', 'from-1']);
      const leaders = await Promise.all(servers.map((server) => server.get<string>('/v1/status/leader')));
      expect(new Set(leaders).size).toBe(1);
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
      await cluster.stop();
    }
  }, 180_000);
});
