import { request as httpsRequest } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { type IssuedCertificate, TestAuthority } from '../../test/support/certificates.ts';
import { eventually } from '../../test/support/eventually.ts';
import { started } from '../../test/support/started.ts';
import type { Route } from './route.ts';
import { createHttpServer, type HttpServer, type HttpServerOptions } from './server.ts';
import type { ServerTls } from './server-tls.ts';

const routes: Route[] = [{ method: 'GET', path: '/v1/thing', handle: () => ({ json: 'thing' }) }];

interface Running {
  readonly server: HttpServer;
  readonly port: number;
  readonly metrics: Metrics;
  stop(): Promise<void>;
}

let authority: TestAuthority;
let stranger: TestAuthority;
let pair: IssuedCertificate;
let client: IssuedCertificate;
let running: Running | undefined;
beforeAll(async () => {
  authority = await TestAuthority.create();
  stranger = await TestAuthority.create('a stranger');
  pair = await authority.issue();
  client = await authority.issue({ name: 'cli', usages: ['client'] });
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

function tlsOf(extra: Partial<ServerTls> = {}): ServerTls {
  return { ...pair, ca: [authority.pem], verifyClients: false, minVersion: 'TLSv1.2', cipherSuites: [], ...extra };
}

async function start(tls: Partial<ServerTls> = {}, options: Partial<HttpServerOptions> = {}): Promise<Running> {
  const metrics = new Metrics();
  const server = createHttpServer(
    { clock: new SystemClock(), log: silentLogger, metrics },
    { routes, host: '127.0.0.1', port: 0, name: 'https', tls: tlsOf(tls), ...options },
  );
  const stop = await started(server);
  running = { server, port: server.address().port, metrics, stop };
  return running;
}

/** Asks once on a connection of its own. */
function ask({ port }: Running, tls: ConnectionOptions = {}): Promise<{ status: number; serial: string }> {
  return new Promise((resolve, reject) => {
    const options = { port, path: '/v1/thing', ca: authority.pem, agent: false, ...tls } as object;
    const sent = httpsRequest(options, (answer) => {
      const serial = (answer.socket as TLSSocket).getPeerCertificate().serialNumber;
      answer.resume();
      answer.on('end', () => resolve({ status: answer.statusCode!, serial }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

const failures = async ({ metrics }: Running) =>
  Number(/lictor_http_tls_failures_total\{listener="https"\} (\d+)/.exec(await metrics.text())?.[1] ?? 0);

describe('https server', () => {
  it('serves with its certificate', async () => {
    expect((await ask(await start())).status).toBe(200);
    await expect(ask(running!, { ca: stranger.pem })).rejects.toThrow(/unable to verify|self-signed/);
  });

  it('with verification serves only clients whose certificate its authority has signed', async () => {
    await start({ verifyClients: true });
    expect((await ask(running!, client)).status).toBe(200);
    const refused: [string, ConnectionOptions][] = [
      ['none', {}],
      ['of a stranger', await stranger.issue({ usages: ['client'] })],
      ['expired', await authority.issue({ usages: ['client'], expired: true })],
      ['for servers only', await authority.issue({ usages: ['server'] })],
    ];
    for (const [what, own] of refused) {
      const answer = await ask(running!, own).catch(() => 'refused');
      expect({ what, answer }).toEqual({ what, answer: 'refused' });
    }
    await eventually(async () => (await failures(running!)) === refused.length, { withinMs: 5_000 });
  });

  it('keeps to its lowest version and its cipher suites', async () => {
    await start({ minVersion: 'TLSv1.3' });
    await expect(ask(running!, { maxVersion: 'TLSv1.2' })).rejects.toThrow(/version/i);
    await running!.stop();
    await start({ cipherSuites: ['ECDHE-ECDSA-AES256-GCM-SHA384'] });
    expect((await ask(running!, { maxVersion: 'TLSv1.2' })).status).toBe(200);
    expect((await ask(running!, { minVersion: 'TLSv1.3' })).status).toBe(200);
    await expect(ask(running!, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })).rejects.toThrow(
      /handshake|alert/i,
    );
    await running!.stop();
    await start({ minVersion: 'TLSv1' });
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' } as const;
    expect((await ask(running!, old)).status).toBe(200);
  });

  it('serves another certificate to new connections and keeps the open ones', async () => {
    const { server, port } = await start();
    const before = connect({ port, ca: authority.pem, servername: 'localhost' });
    await new Promise((resolve) => before.once('secureConnect', resolve));
    const { serial } = await ask(running!);
    const renewed = await authority.issue();
    server.setTls(tlsOf(renewed));
    const after = await ask(running!);
    expect(after.status).toBe(200);
    expect(after.serial).not.toBe(serial);
    before.write('GET /v1/thing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    let text = '';
    before.on('data', (chunk) => {
      text += chunk;
    });
    await new Promise((resolve) => before.once('close', resolve));
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('asks for client certificates from a change on, of resumed sessions too', async () => {
    const { server, port } = await start();
    const first = connect({ port, ca: authority.pem, servername: 'localhost', maxVersion: 'TLSv1.2' });
    const session = await new Promise<Buffer>((resolve) => first.once('session', resolve));
    first.destroy();
    server.setTls(tlsOf({ verifyClients: true }));
    await expect(ask(running!)).rejects.toThrow();
    await expect(ask(running!, { session, maxVersion: 'TLSv1.2' })).rejects.toThrow();
    expect((await ask(running!, client)).status).toBe(200);
  });

  it('answers 429 after the handshake of a connection too many, and cuts further ones', async () => {
    const { port } = await start({}, { maxConnectionsPerClient: 1 });
    const holder = connect({ port, ca: authority.pem, servername: 'localhost' });
    await new Promise((resolve) => holder.once('secureConnect', resolve));
    expect((await ask(running!)).status).toBe(429);
    holder.destroy();
    await eventually(async () => (await ask(running!).catch(() => undefined))?.status === 200, { withinMs: 5_000 });
  });

  it('cuts a handshake that does not end in time, and does not wait for one when it stops', async () => {
    const { port } = await start({}, { handshakeTimeoutMs: 200 });
    const silent = connectTcp(port, '127.0.0.1');
    silent.on('error', () => {});
    await new Promise((resolve) => silent.once('close', resolve));
    await running!.stop();
    const again = await start({}, { handshakeTimeoutMs: 600_000 });
    const half = connectTcp(again.port, '127.0.0.1');
    half.on('error', () => {});
    await new Promise((resolve) => half.once('connect', resolve));
    half.write('\x16');
    expect((await ask(again)).status).toBe(200);
    const startedAt = performance.now();
    await again.stop();
    expect(performance.now() - startedAt).toBeLessThan(4_000);
  });
});
