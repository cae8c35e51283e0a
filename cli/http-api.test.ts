import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { FakeClock } from '../core/clock.ts';
import { FakeApi } from '../test/support/command-run.ts';
import { apiOptions, type ClientSettings } from './api-options.ts';
import { HttpApi } from './http-api.ts';
import { ProgressLines } from './output.ts';

const apiOf = (address: string, flags: ClientSettings = {}) =>
  new HttpApi(apiOptions({ httpAddr: address, ...flags }, {}));

describe('HttpApi', () => {
  it('takes it only from an agent that there is no key', async () => {
    const fake = await FakeApi.start({
      'GET /v1/kv/none': () => ({ status: 404, headers: { 'X-Consul-Index': '1' } }),
    });
    const api = apiOf(fake.address);
    expect((await api.send('GET', '/v1/kv/none', { accept: [404] })).status).toBe(404);
    await expect(api.send('GET', '/v1/kv/astray', { accept: [404] })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('correct -http-addr'),
    });
    await api.close();
    await fake.stop();
  });

  it('blocks by index, and starts again when the index falls', async () => {
    let at = 5;
    const fake = await FakeApi.start({
      'GET /v1/x': () => ({ headers: { 'X-Consul-Index': String(at) }, body: [at] }),
    });
    const api = apiOf(fake.address);
    const first = await api.blocking<number[]>('/v1/x', { tag: 'a' }, { index: '0' });
    expect(first).toEqual({ index: '5', value: [5] });
    at = 6;
    expect(await api.blocking('/v1/x', {}, { index: '5', waitMs: 1000 })).toEqual({ index: '6', value: [6] });
    at = 2;
    expect(await api.blocking('/v1/x', {}, { index: '6', waitMs: 1000 })).toEqual({ index: '0', value: [2] });
    expect(fake.seen.map(({ url }) => url)).toEqual([
      '/v1/x?tag=a',
      '/v1/x?index=5&wait=1000ms',
      '/v1/x?index=6&wait=1000ms',
    ]);
    await api.close();
    await fake.stop();
  });

  it('sends and receives streams and raw bodies by every method', async () => {
    const fake = await FakeApi.start({
      'PUT /v1/raw': ({ body }) => ({ body: body.length }),
      'POST /v1/none': {},
      'DELETE /v1/thing': { body: true },
      'GET /v1/big': { body: 'x'.repeat(200_000) },
      'GET /v1/no': { status: 403, body: 'Permission denied' },
    });
    const api = apiOf(fake.address);
    expect(await api.put('/v1/raw', { body: Readable.from(['a', 'bc']) })).toBe(3);
    expect(await api.put('/v1/raw', { body: Buffer.from('abcd') })).toBe(4);
    expect(await api.post('/v1/none')).toBeUndefined();
    expect(await api.delete('/v1/thing')).toBe(true);
    const { body, status } = await api.stream('GET', '/v1/big');
    let size = 0;
    for await (const chunk of body) size += (chunk as Buffer).length;
    expect([status, size]).toEqual([200, 200_000]);
    await expect(api.stream('GET', '/v1/no')).rejects.toMatchObject({
      code: 'permissionDenied',
      facts: { status: 403 },
    });
    await expect(api.get('/v1/big')).rejects.toThrow(/what is no JSON/);
    await api.close();
    await fake.stop();
  });

  it('sends names as they are, also with dots', async () => {
    const seen: string[] = [];
    const server = createHttpServer((request, response) => {
      seen.push(request.url!);
      response.end('[]');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    for (const address of [`127.0.0.1:${port}`, `http://127.0.0.1:${port}/prefix/`]) {
      const api = apiOf(address, { datacenter: 'dc 2' });
      await api.get('/v1/kv/zz/..', { recurse: '' });
      await api.get('/v1/kv/a//%2e%2e');
      await api.close();
    }
    const urls = ['/v1/kv/zz/..?dc=dc+2&recurse=', '/v1/kv/a//%2e%2e?dc=dc+2'];
    expect(seen).toEqual([...urls, ...urls.map((url) => `/prefix${url}`)]);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('tells what passes from what will not, and where something has moved to', async () => {
    const fake = await FakeApi.start({
      'GET /v1/busy': { status: 429, body: 'too many' },
      'GET /v1/slow': { status: 408 },
      'GET /v1/wrong': { status: 400 },
      'PUT /v1/moved': { status: 307, headers: { location: '/v1/elsewhere' } },
    });
    const api = apiOf(fake.address);
    await expect(api.stream('GET', '/v1/busy')).rejects.toMatchObject({ code: 'rateLimited' });
    await expect(api.get('/v1/slow')).rejects.toMatchObject({ code: 'deadline' });
    await expect(api.get('/v1/wrong')).rejects.toMatchObject({ code: 'badRequest' });
    await expect(api.put('/v1/moved')).rejects.toThrow(/answered 307 to \/v1\/moved: it is at \/v1\/elsewhere;/);
    await api.close();
    await fake.stop();
  });

  it('gives up when its time is over, and when it is interrupted', async () => {
    const server = createHttpServer(() => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const api = apiOf(address);
    await expect(api.send('GET', '/v1/x', { timeoutMs: 50 })).rejects.toThrow(/gave no answer in time/);
    const stop = new AbortController();
    const interrupted = new HttpApi(apiOptions({ httpAddr: address }, {}), stop.signal);
    const waiting = interrupted.get('/v1/x');
    stop.abort();
    await expect(waiting).rejects.toThrow('interrupted');
    await Promise.all([api.close(), interrupted.close()]);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('HttpApi over HTTPS', () => {
  let folder: string;
  let server: Server;
  let address: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lictor-https-'));
    const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    const subject = ['-subj', '/CN=server.dc1.consul', '-addext', 'subjectAltName=DNS:server.dc1.consul'];
    execFileSync('openssl', [...args, ...subject, '-keyout', join(folder, 'key'), '-out', join(folder, 'cert')], {
      stdio: 'ignore',
    });
    const pem = (name: string) => readFileSync(join(folder, name));
    const options = {
      key: pem('key'),
      cert: pem('cert'),
      ca: pem('cert'),
      requestCert: true,
      rejectUnauthorized: false,
    };
    server = createServer(options, (request, response) => {
      response.end(JSON.stringify({ client: (request.socket as TLSSocket).getPeerCertificate().subject?.CN ?? null }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  });
  const get = async (flags: ClientSettings, env: Record<string, string> = {}) => {
    const api = new HttpApi(apiOptions({ httpAddr: address, ...flags }, env));
    try {
      return await api.get('/v1/x');
    } finally {
      await api.close();
    }
  };

  it('trusts only the given CA and name, and shows its own certificate', async () => {
    const caFile = join(folder, 'cert');
    const tlsServerName = 'server.dc1.consul';
    expect(await get({ caFile, tlsServerName })).toEqual({ client: null });
    expect(await get({ caFile, tlsServerName, clientCert: caFile, clientKey: join(folder, 'key') })).toEqual({
      client: 'server.dc1.consul',
    });
    await expect(get({ tlsServerName })).rejects.toThrow(/no answer from https/);
    await expect(get({ caFile, tlsServerName: 'other' })).rejects.toThrow(/no answer from https/);
    expect(await get({}, { CONSUL_HTTP_SSL_VERIFY: 'false' })).toEqual({ client: null });
  });
});

describe('ProgressLines', () => {
  it('says nothing of what is quick, and one line a second at most', async () => {
    const clock = new FakeClock();
    let out = '';
    const io = { stderr: { write: (text: string) => (out += text) } } as never;
    const progress = new ProgressLines({ io, clock });
    progress.report('1');
    await clock.advance(1_000);
    progress.report('2');
    progress.report('3');
    await clock.advance(999);
    progress.report('4');
    await clock.advance(1);
    progress.report('5');
    expect(out).toBe('2\n5\n');
  });
});
