import { execFile } from 'node:child_process';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { promisify } from 'node:util';
import type { ClientTls } from '../../api/http/client-tls.ts';
import { type IssuedCertificate, TestAuthority } from '../../test/support/certificates.ts';
import { JsonCalls } from './json-calls.ts';

const CHUNK = Buffer.alloc(2 ** 16, ' ');
const NAME = 'server.dc1.consul';
let ours: TestAuthority;
let theirs: TestAuthority;
let own: IssuedCertificate;
const open: TcpServer[] = [];
beforeAll(async () => {
  [ours, theirs] = await Promise.all([TestAuthority.create('ours'), TestAuthority.create('theirs')]);
  own = await ours.issue({ name: NAME });
});
afterEach(() => Promise.all(open.splice(0).map((server) => new Promise((resolve) => server.close(resolve)))));

async function portOf(server: Server | TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(server);
  return (server.address() as AddressInfo).port;
}

const answer: RequestListener = (_, response) => response.end('{}');
const serving = (pair: IssuedCertificate, ca: string) =>
  portOf(createTlsServer({ ...pair, ca, requestCert: true, rejectUnauthorized: true }, answer));
const calls = (pair = own, ca = ours.pem) => {
  const tls: ClientTls = { ...pair, ca: [ca], minVersion: 'TLSv1.2', cipherSuites: [], serverName: NAME };
  return new JsonCalls(() => tls);
};
const why = async (made: JsonCalls, url: string): Promise<unknown> => {
  const error = await made.call('PUT', url, {}, 10_000).catch((cause: unknown) => cause);
  return (error as { facts?: { tls?: string } }).facts?.tls;
};

it('calls by TLS with what both sides trust', async () => {
  const port = await serving(own, ours.pem);
  expect(await calls().call('PUT', `https://127.0.0.1:${port}/`, {}, 10_000)).toEqual({ status: 200, text: '{}' });
});

it('says what keeps servers apart', async () => {
  const url = async (port: Promise<number>) => `https://127.0.0.1:${await port}/`;
  expect(await why(calls(), await url(serving(await theirs.issue({ name: NAME }), ours.pem)))).toMatch(
    /of no authority that this server trusts/,
  );
  expect(await why(calls(), await url(serving(await ours.issue(), ours.pem)))).toMatch(/verify_server_hostname/);
  const expired = await ours.issue({ name: NAME, expired: true });
  expect(await why(calls(), await url(serving(expired, ours.pem)))).toMatch(/does not count now/);
  expect(await why(calls(), await url(serving(own, theirs.pem)))).toMatch(/it ended the handshake/);
  const clear = await portOf(createServer(answer));
  expect(await why(calls(), `https://127.0.0.1:${clear}/`)).toMatch(/it speaks no TLS/);
  const secure = await serving(own, ours.pem);
  expect(await why(new JsonCalls(undefined), `http://127.0.0.1:${secure}/`)).toMatch(/if it speaks TLS alone/);
  // Nobody there is nothing that TLS could mend.
  expect(await why(calls(), 'https://127.0.0.1:1/')).toBeUndefined();
});

it('reads no more of an answer than one can have', async () => {
  let sent = 0;
  const port = await portOf(
    createServer((_, response) => {
      const more = (error?: Error | null): void => {
        if (error) return;
        if (sent === 32 * 2 ** 20) return void response.end();
        sent += CHUNK.length;
        response.write(CHUNK, more);
      };
      more();
    }),
  );
  const url = `http://127.0.0.1:${port}/`;
  const asked = new JsonCalls(undefined).call('PUT', url, {}, 60_000).then(({ text }) => text.length);
  const message = `${url}: who listens there answered with more than 1048576 bytes`;
  await expect(asked).rejects.toMatchObject({ code: 'unavailable', message });
  expect(sent).toBeLessThan(16 * 2 ** 20);
});

it('takes who answers for alive, whatever becomes of its certificates', async () => {
  const expired = await theirs.issue({ expired: true });
  const secure = await serving(expired, theirs.pem);
  const clear = await portOf(createServer(answer));
  for (const made of [calls(), new JsonCalls(undefined)]) {
    expect(await made.isAlive(`https://127.0.0.1:${secure}`)).toBe(true);
    expect(await made.isAlive(`http://127.0.0.1:${clear}`)).toBe(true);
    expect(await made.isAlive(`https://127.0.0.1:${clear}`)).toBe(true);
    expect(await made.isAlive('https://127.0.0.1:1')).toBe(false);
    expect(await made.isAlive('http://127.0.0.1:1')).toBe(false);
  }
});

it('takes who says nothing for dead', async () => {
  const sockets = new Set<{ destroy(): void }>();
  const silent = await portOf(createTcpServer((socket) => sockets.add(socket)));
  expect(await calls().isAlive(`https://127.0.0.1:${silent}`)).toBe(false);
  expect(await calls().isAlive(`http://127.0.0.1:${silent}`)).toBe(false);
  for (const socket of sockets) socket.destroy();
});

it.each(['http', 'https'])('does not take who cannot be asked for dead (%s)', async (scheme) => {
  const program = `
    import { openSync } from 'node:fs';
    import { JsonCalls } from ${JSON.stringify(new URL('./json-calls.ts', import.meta.url).href)};
    const calls = new JsonCalls(undefined);
    const url = '${scheme}://127.0.0.1:${await portOf(createServer(answer))}';
    // What is opened later is there then.
    const before = await calls.isAlive(url);
    try { for (;;) openSync('/dev/null'); } catch {}
    calls.isAlive(url).then(String, ({ message }) => message).then((now) => {
      process.stdout.write(before + ' ' + now, () => process.exit());
    });`;
  const line = `ulimit -n 64; exec "$0" --disable-warning=ExperimentalWarning --input-type=module -e "$1"`;
  const { stdout } = await promisify(execFile)('sh', ['-c', line, process.execPath, program], { timeout: 60_000 });
  expect(stdout).toMatch(/^true \S+ could not be asked: .*EMFILE/);
});
