import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { closeSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { SystemClock } from '../../core/clock.ts';
import { removeFolder, tempFolder } from '../../test/support/processes/temp-folder.ts';
import { probeDocker } from './docker-probe.ts';
import { networkProbe } from './probe.ts';
import { type DockerPlan, type ProbedPlan, planProbe } from './probe-plan.ts';

const clock = new SystemClock();
const probe = networkProbe({ clock });
const never = new AbortController().signal;
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const plan = (definition: object) => planProbe({ Interval: '1s', Timeout: '10s', ...definition }) as ProbedPlan;

/** Takes every thread that Node.js resolves names on, until what it gives is called: opening a pipe waits for its other end. */
function holdThreads(): () => Promise<void> {
  const folder = tempFolder('threads');
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const held = Array.from({ length: Number(process.env.UV_THREADPOOL_SIZE ?? 4) }, () => open(pipe, 'r'));
  return async () => {
    const otherEnd = openSync(pipe, 'r+');
    for (const file of await Promise.all(held)) await file.close();
    closeSync(otherEnd);
    removeFolder(folder);
  };
}

async function http2Server(status: number): Promise<number> {
  const server: Http2Server = createServer();
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    if (headers[':path'] !== '/grpc.health.v1.Health/Check')
      return stream.respond({ ':status': 404 }, { endStream: true });
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, status]));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function closedPort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('grpc probe', () => {
  it('passes a serving server', async () => {
    const target = `127.0.0.1:${await http2Server(1)}/shop`;
    expect(await probe(plan({ GRPC: target }), never)).toEqual({
      status: 'passing',
      output: `gRPC check ${target}: success`,
    });
  });
  it('fails one that does not serve', async () => {
    const result = await probe(plan({ GRPC: `127.0.0.1:${await http2Server(2)}` }), never);
    expect(result).toMatchObject({ status: 'critical', output: expect.stringContaining('NOT_SERVING') });
  });
  it('fails a port where nobody listens', async () => {
    const result = await probe(plan({ GRPC: `127.0.0.1:${await closedPort()}` }), never);
    expect(result).toMatchObject({ status: 'critical', output: expect.stringContaining('connection refused') });
  });
});

describe('h2ping probe', () => {
  it('passes a server that answers the ping', async () => {
    const result = await probe(plan({ H2PING: `127.0.0.1:${await http2Server(1)}`, H2PingUseTLS: false }), never);
    expect(result).toEqual({ status: 'passing', output: 'HTTP2 ping was successful' });
  });
  it('fails where nobody listens', async () => {
    const result = await probe(plan({ H2PING: `127.0.0.1:${await closedPort()}`, H2PingUseTLS: false }), never);
    expect(result.status).toBe('critical');
  });
});

describe('udp probe', () => {
  it('passes a port that keeps silent until the timeout', async () => {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    cleanups.push(() => socket.close());
    const target = `127.0.0.1:${socket.address().port}`;
    expect(await probe(plan({ UDP: target, Timeout: '200ms' }), never)).toEqual({
      status: 'passing',
      output: `UDP connect ${target}: Success`,
    });
  });
  it('fails a port that refuses', async () => {
    const result = await probe(plan({ UDP: `127.0.0.1:${await closedPort()}` }), never);
    expect(result).toMatchObject({ status: 'critical', output: expect.stringContaining('refused') });
  });
  it.each([
    ['a name that is not there', 'no.such.host.invalid:53', /no such host/],
    ['a name that cannot be one', 'a\0b:53', /null bytes/],
    ['an address that cannot be connected to', '255.255.255.255:53', /EACCES|denied/],
  ])('fails at %s', async (_, target, output) => {
    const result = await probe(plan({ UDP: target }), never);
    expect(result).toMatchObject({ status: 'critical', output: expect.stringMatching(output) });
  });
  it('asks other machines', async () => {
    // One for examples (RFC 5737): nothing comes back, or that there is no way to it.
    const { output } = await probe(plan({ UDP: '198.51.100.1:9', Timeout: '200ms' }), never);
    expect(output).not.toMatch(/bind/);
  });
  it('fails while a name is not resolved in time', async () => {
    const release = holdThreads();
    const result = await probe(plan({ UDP: 'localhost:53', Timeout: '200ms' }), never);
    await release();
    expect(result).toEqual({ status: 'critical', output: 'dial udp localhost:53: i/o timeout' });
  });
  it('asks a name at the address that it has, of either family', async () => {
    const socket = createSocket('udp6');
    await new Promise<void>((resolve) => socket.bind(0, '::1', resolve));
    cleanups.push(() => socket.close());
    const arrived = new Promise((resolve) => socket.once('message', resolve));
    const { port } = socket.address();
    void probe(plan({ UDP: `[::1]:${port}`, Timeout: '200ms' }), never);
    expect(String(await arrived)).toBe('ping');
  });
});

describe('script probe', () => {
  const script = (line: string, more: object = {}) => probe(plan({ ScriptArgs: ['sh', '-c', line], ...more }), never);
  it.each([
    [0, 'passing'],
    [1, 'warning'],
    [2, 'critical'],
  ])('takes exit %d as %s', async (code, status) => {
    expect(await script(`echo out; exit ${code}`)).toEqual({ status, output: 'out\n' });
  });
  it('kills the whole group at the timeout', async () => {
    const result = await script('sleep 60 & sleep 60', { Timeout: '300ms' });
    expect(result).toEqual({ status: 'critical', output: 'Timed out (0.3s) running check' });
  });
  it('bounds the output', async () => {
    const result = await script('yes | head -c 1000000');
    expect(result.status).toBe('passing');
    expect(result.output).toHaveLength(4096);
  });
  it('says that a command is missing', async () => {
    const result = await probe(plan({ ScriptArgs: ['/no/such/command'] }), never);
    expect(result).toMatchObject({ status: 'critical', output: expect.stringContaining('ENOENT') });
  });
});

describe('docker probe', () => {
  const docker = plan({ DockerContainerID: 'web', ScriptArgs: ['true'] }) as DockerPlan;
  it('says that there is no engine', async () => {
    const result = await probeDocker({ clock }, docker, never, 'unix:///no/such.sock');
    expect(result).toMatchObject({ status: 'critical', output: expect.stringContaining('no Docker engine') });
  });
  it.each(['ssh://me@host', 'unix://', 'tcp://', 'nonsense'])(
    'says that DOCKER_HOST=%s cannot be used',
    async (host) => {
      const result = await probeDocker({ clock }, docker, never, host);
      expect(result).toMatchObject({
        status: 'critical',
        output: expect.stringMatching(/^DOCKER_HOST: .* cannot be used/),
      });
    },
  );
  it.each(['unix', 'tcp'])('runs the command at DOCKER_HOST=%s and takes its exit code', async (scheme) => {
    const folder = tempFolder('docker');
    const socketPath = join(folder, 'docker.sock');
    const server = createHttpServer((request, response) => {
      if (request.url === '/containers/web/exec') return response.writeHead(201).end('{"Id":"e1"}');
      if (request.url === '/exec/e1/start') return response.end(Buffer.from([1, 0, 0, 0, 0, 0, 0, 2, 111, 107]));
      return response.end('{"ExitCode":1}');
    });
    await new Promise<void>((resolve) =>
      server.listen(scheme === 'tcp' ? { port: 0, host: '127.0.0.1' } : socketPath, resolve),
    );
    cleanups.push(() => {
      server.close();
      removeFolder(folder);
    });
    const address = server.address();
    const host = typeof address === 'string' ? `unix://${address}` : `tcp://127.0.0.1:${address!.port}`;
    const dockerProbe = networkProbe({ clock, dockerHost: host });
    expect(await dockerProbe(docker, never)).toEqual({ status: 'warning', output: 'ok' });
  });
});
