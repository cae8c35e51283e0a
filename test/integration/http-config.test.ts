import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { request } from 'undici';
import { ROOT } from '../arch/sources.ts';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startClientAgent, startServer } from '../support/processes/lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

let folder: string;
let file: string;
let server: AgentProcess;
let client: AgentProcess;
beforeAll(async () => {
  folder = tempFolder('http-config');
  file = join(folder, 'agent.hcl');
  writeFileSync(file, '');
  server = await startServer({ args: ['-config-file', file] });
  client = await startClientAgent(server, { node: 'client-1', args: ['-config-file', file] });
}, 60_000);
afterAll(async () => {
  await client?.stop();
  await server?.stop();
  removeFolder(folder);
});

type Method = 'GET' | 'PUT' | 'DELETE' | 'HEAD';

async function call(agent: AgentProcess, method: Method, path: string, headers: Record<string, string> = {}) {
  const answer = await request(`${agent.url}${path}`, { method, headers });
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
}

/** Puts a configuration in force in both agents. */
async function configure(hcl: string): Promise<void> {
  writeFileSync(file, hcl);
  for (const agent of [server, client]) {
    await new Promise<void>((resolve, reject) => {
      execFile(join(ROOT, 'bin/lictor'), ['reload', '-http-addr', agent.url], (error, _out, stderr) =>
        error ? reject(new Error(stderr)) : resolve(),
      );
    });
  }
}

const both = (): [string, AgentProcess][] => [
  ['server', server],
  ['client', client],
];

describe('http_config of running agents', () => {
  it('blocks endpoints, adds headers, and undoes both with the next reload', async () => {
    await configure(`http_config {
      block_endpoints = ["/v1/kv/secret", "/v1/catalog/nodes"]
      response_headers { "Access-Control-Allow-Origin" = "*" }
    }`);
    for (const [kind, agent] of both()) {
      expect({ kind, ...(await call(agent, 'GET', '/v1/catalog/nodes')) }).toMatchObject({
        kind,
        status: 403,
        text: 'Endpoint is blocked by agent configuration',
        headers: { 'access-control-allow-origin': '*' },
      });
      expect(await call(agent, 'PUT', '/v1/kv/%73ecret/a')).toMatchObject({ status: 403 });
      expect(await call(agent, 'GET', '/v1/catalog/services')).toMatchObject({
        status: 200,
        headers: { 'access-control-allow-origin': '*', 'x-consul-index': expect.stringMatching(/^\d+$/) },
      });
    }
    await configure('');
    for (const [kind, agent] of both()) {
      const answer = await call(agent, 'GET', '/v1/catalog/nodes');
      expect({ kind, status: answer.status }).toEqual({ kind, status: 200 });
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  it('takes writes only from the networks it names', async () => {
    await configure('http_config { allow_write_http_from = ["255.255.255.255/32"] }');
    // Also the reload itself: from here on by signal.
    for (const [kind, agent] of both()) {
      expect({ kind, ...(await call(agent, 'PUT', '/v1/kv/a')) }).toMatchObject({
        kind,
        status: 403,
        text: 'Access is restricted',
      });
      expect(await call(agent, 'GET', '/v1/agent/self')).toMatchObject({ status: 200 });
    }
    writeFileSync(file, 'http_config { allow_write_http_from = ["127.0.0.0/8"] }');
    for (const [, agent] of both()) {
      agent.process.signal('SIGHUP');
      await eventually(async () => (await call(agent, 'PUT', '/v1/kv/a')).status === 200, { withinMs: 20_000 });
    }
  });

  it('makes discovery reads stale, leaves out the cache, and says that addresses may be translated', async () => {
    await configure('discovery_max_stale = "10s"\nhttp_config { use_cache = false }');
    for (const [kind, agent] of both()) {
      const read = async (path: string) => (await call(agent, 'GET', path)).headers;
      expect({ kind, ...(await read('/v1/catalog/nodes')) }).toMatchObject({
        kind,
        'x-consul-effective-consistency': 'stale',
      });
      expect(await read('/v1/catalog/nodes?leader')).toMatchObject({ 'x-consul-effective-consistency': 'leader' });
      expect((await read('/v1/health/service/web?cached'))['x-cache']).toBeUndefined();
    }
    await configure('');
    for (const [kind, agent] of both()) {
      const answer = await call(agent, 'GET', '/v1/health/service/web?cached');
      expect({ kind, cache: answer.headers['x-cache'] }).toEqual({ kind, cache: expect.stringMatching(/HIT|MISS/) });
      expect(answer.headers['x-consul-effective-consistency']).toBe('leader');
    }
  });

  it.each(['/v1/connect/intentions/match?by=destination&name=web', '/v1/discovery-chain/web?compile-dc='])(
    'tells of %s with ?cached whether it was kept fresh',
    async (path) => {
      for (const [kind, agent] of both()) {
        const cached = async () => (await call(agent, 'GET', `${path}&cached`)).headers;
        await cached();
        const { 'x-cache': cache, age, 'x-consul-index': index } = await cached();
        expect({ kind, cache, age, index: Number(index) > 0 }).toEqual({ kind, cache: 'HIT', age: '0', index: true });
        expect((await call(agent, 'GET', path)).headers['x-cache']).toBeUndefined();
        expect(await call(agent, 'GET', `${path}&cached&consistent`)).toMatchObject({ status: 400 });
      }
    },
  );

  it('waits as long as default_query_time and max_query_time say', async () => {
    await configure('default_query_time = "200ms"\nmax_query_time = "400ms"');
    for (const [kind, agent] of both()) {
      const { headers } = await call(agent, 'GET', '/v1/catalog/service/nothing');
      const index = Number(headers['x-consul-index']) + 1000;
      const wait = async (query: string) => {
        const start = performance.now();
        expect((await call(agent, 'GET', `/v1/catalog/service/nothing?index=${index}${query}`)).status).toBe(200);
        return performance.now() - start;
      };
      const [short, long] = [await wait(''), await wait('&wait=300s')];
      expect({ kind, enough: short > 150 && long > 350, soon: short < 5_000 && long < 5_000 }).toEqual({
        kind,
        enough: true,
        soon: true,
      });
    }
    await configure('');
  });

  it('names what needs a restart', async () => {
    await configure('http_config { max_header_bytes = 4096 }\nunix_sockets { mode = "660" }');
    expect(server.log()).toMatch(/need a restart.*max_header_bytes|max_header_bytes.*need a restart/);
    await configure('');
  });
});

describe('keys that count from the start on', () => {
  it('takes headers of the given size, and says that addresses may be translated', async () => {
    const started = await startServer({
      args: [
        '-hcl',
        `http_config { max_header_bytes = 4096 } translate_wan_addrs = true
         unix_sockets { mode = "600" }`,
      ],
    });
    try {
      const answer = await call(started, 'GET', '/v1/agent/self');
      expect(answer.headers['x-consul-translate-addresses']).toBe('true');
      expect(JSON.parse(answer.text).DebugConfig).toMatchObject({
        HTTPMaxHeaderBytes: 4096,
        TranslateWANAddrs: true,
        UnixSocketMode: '600',
      });
      const filler = (bytes: number) => ({ 'x-filler': 'x'.repeat(bytes) });
      expect((await call(started, 'GET', '/v1/status/leader', filler(3_500))).status).toBe(200);
      expect((await call(started, 'GET', '/v1/status/leader', filler(5_000))).status).toBe(431);
      expect((await call(started, 'GET', '/v1/status/leader')).status).toBe(200);
    } finally {
      await started.stop();
    }
  });
});

describe('limits.rpc_handshake_timeout', () => {
  it("closes connections to the servers' port that say nothing, and leaves those of agents", async () => {
    const started = await startServer({ args: ['-hcl', 'limits { rpc_handshake_timeout = "300ms" }'] });
    try {
      const silent = connect(started.serverPort, '127.0.0.1');
      silent.on('error', () => {});
      silent.resume();
      // By default it is 5 s.
      await eventually(() => silent.destroyed, { withinMs: 4_500 });
      const joined = await startClientAgent(started, { node: 'client-2' });
      try {
        expect(await joined.get<object[]>('/v1/catalog/nodes')).not.toHaveLength(0);
      } finally {
        await joined.stop();
      }
    } finally {
      await started.stop();
    }
  });
});

describe('limits.http_max_conns_per_client', () => {
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });
  /** Opens a connection from an address of this machine that nothing else uses. */
  const open = (localAddress = '127.0.0.9') =>
    new Promise<Socket>((resolve, reject) => {
      const socket = connect({ port: server.httpPort, host: '127.0.0.1', localAddress }, () => resolve(socket));
      socket.on('error', reject);
      sockets.push(socket);
    });
  /** What one more connection is answered. */
  const oneMore = async (localAddress?: string) => {
    const socket = await open(localAddress);
    return new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('close', () => resolve(text));
      socket.write('GET /v1/status/leader HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    });
  };

  it('is 200: the 201st is refused with 429, others are served, and closing one makes room', async () => {
    for (let count = 0; count < 199; count++) await open();
    expect(await oneMore()).toMatch(/^HTTP\/1\.1 200 /);
    await open();
    const last = await oneMore();
    expect(last).toMatch(/^HTTP\/1\.1 429 Too Many Requests/);
    expect(last).toContain('Your IP is issuing too many concurrent connections, please rate limit your calls');
    expect(await oneMore('127.0.0.10')).toMatch(/^HTTP\/1\.1 200 /);
    sockets[0]!.destroy();
    await eventually(async () => (await oneMore()).startsWith('HTTP/1.1 200'), { withinMs: 10_000 });
  });

  it('is taken from a reload', async () => {
    writeFileSync(file, 'limits { http_max_conns_per_client = 3 }');
    server.process.signal('SIGHUP');
    for (let count = 0; count < 3; count++) await open();
    await eventually(async () => (await oneMore()).startsWith('HTTP/1.1 429'), { withinMs: 20_000 });
  });
});
