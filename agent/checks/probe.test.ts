import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { SystemClock } from '../../core/clock.ts';
import { networkProbe } from './probe.ts';
import { type HttpPlan, planProbe, type TcpPlan } from './probe-plan.ts';

const probe = networkProbe({ clock: new SystemClock() });
const never = new AbortController().signal;
const servers: (Server | TcpServer)[] = [];

async function listening<T extends Server | TcpServer>(server: T): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
const http = (listener: RequestListener) => listening(createServer(listener));

afterEach(() => {
  for (const server of servers.splice(0)) {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  }
});

const httpPlan = (url: string, more: object = {}) =>
  planProbe({ HTTP: url, Interval: '1s', Timeout: '15s', ...more }) as HttpPlan;
const tcpPlan = (target: string, more: object = {}) =>
  planProbe({ TCP: target, Interval: '1s', Timeout: '15s', ...more }) as TcpPlan;
/** For those that are about a deadline. */
const SHORT = { Timeout: '400ms' };

describe('http probe', () => {
  it.each([
    [200, 'passing', 'OK'],
    [204, 'passing', 'No Content'],
    [429, 'warning', 'Too Many Requests'],
    [404, 'critical', 'Not Found'],
    [503, 'critical', 'Service Unavailable'],
  ])('takes %d as %s', async (code, status, reason) => {
    const url = `http://127.0.0.1:${await http((_, response) => response.writeHead(code).end())}/x?y=1`;
    expect(await probe(httpPlan(url), never)).toEqual({
      status,
      output: `HTTP GET ${url}: ${code} ${reason} Output: `,
    });
  });

  it('sends method, headers and body as declared, and says who it is', async () => {
    let seen: unknown;
    const port = await http(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const { host, 'user-agent': agent, 'x-a': custom, accept } = request.headers;
      seen = { method: request.method, body, host, agent, custom, accept };
      response.end('fine');
    });
    const plan = httpPlan(`http://127.0.0.1:${port}/`, {
      Method: 'post',
      Body: 'ping',
      Header: { 'X-A': ['b', 'c'], Host: ['shop.test'] },
    });
    const result = await probe(plan, never);
    expect(result.output).toBe(`HTTP POST http://127.0.0.1:${port}/: 200 OK Output: fine`);
    expect(seen).toEqual({
      method: 'POST',
      body: 'ping',
      host: 'shop.test',
      agent: 'Consul Health Check',
      custom: 'b, c',
      accept: 'text/plain, text/*, */*',
    });
  });

  it('follows redirects of the same listener, with method and headers, unless told not to', async () => {
    let seen: unknown;
    const port = await http((request, response) => {
      if (request.url === '/') response.writeHead(307, { location: '/health?deep' }).end();
      else {
        seen = { method: request.method, url: request.url, authorization: request.headers.authorization };
        response.end('there');
      }
    });
    const plan = { Method: 'PUT', Header: { Authorization: ['secret'] } };
    expect((await probe(httpPlan(`http://127.0.0.1:${port}/`, plan), never)).status).toBe('passing');
    expect(seen).toEqual({ method: 'PUT', url: '/health?deep', authorization: 'secret' });
    const disabled = await probe(httpPlan(`http://127.0.0.1:${port}/`, { DisableRedirects: true }), never);
    expect(disabled.status).toBe('critical');
    expect(disabled.output).toContain('307 Temporary Redirect');
  });

  it('asks nobody else whom a redirect names, and says so', async () => {
    let asked = 0;
    const other = await http((_, response) => {
      asked++;
      response.end('a secret');
    });
    for (const location of [
      `http://127.0.0.1:${other}/v1/agent/self`,
      `//127.0.0.1:${other}/`,
      `http://localhost:${other}/`,
      'http://169.254.169.254/latest/meta-data/',
      'file:///etc/passwd',
      'http://[',
    ]) {
      const port = await http((_, response) => response.writeHead(302, { location }).end());
      const result = await probe(httpPlan(`http://127.0.0.1:${port}/`), never);
      expect(result.status).toBe('critical');
      expect(result.output).toMatch(/which is not followed; let the check|unsupported protocol|which is no URL/);
    }
    expect(asked).toBe(0);
  });

  it.each([
    'http://169.254.169.254/latest/meta-data/',
    'http://[::ffff:169.254.169.254]/',
    'http://2852039166/',
    'http://[fd00:ec2::254]/',
    'http://100.100.100.200/',
  ])('does not ask %s', async (url) => {
    const result = await probe(httpPlan(url), never);
    expect(result.status).toBe('critical');
    expect(result.output).toMatch(/is where a machine reads its credentials; checks do not ask there$/);
  });

  it('gives up on a circle of redirects', async () => {
    const port = await http((_, response) => response.writeHead(301, { location: '/' }).end());
    const result = await probe(httpPlan(`http://127.0.0.1:${port}/`), never);
    expect(result).toMatchObject({ status: 'critical', output: expect.stringContaining('stopped after 10 redirects') });
  });

  it('is critical at the deadline when no answer comes', async () => {
    const url = `http://127.0.0.1:${await http(() => {})}/`;
    const started = performance.now();
    const result = await probe(httpPlan(url, SHORT), never);
    expect(result).toEqual({
      status: 'critical',
      output: `Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
    });
    expect(performance.now() - started).toBeLessThan(4000);
  });

  it('reads only the head of a body without end, and lets the status decide', async () => {
    const port = await http((_, response) => {
      const pour = (failed?: unknown) => {
        if (!failed && !response.destroyed) response.write('é'.repeat(10_000), pour);
      };
      pour();
    });
    const result = await probe(httpPlan(`http://127.0.0.1:${port}/`, SHORT), never);
    expect(result.status).toBe('passing');
    expect(Buffer.byteLength(result.output)).toBeLessThanOrEqual(4096);
    expect(result.output.endsWith('é')).toBe(true);
  });

  it('lets the status decide when the body stalls', async () => {
    const port = await http((_, response) => response.writeHead(200, { 'content-length': '9' }).write('some'));
    const result = await probe(httpPlan(`http://127.0.0.1:${port}/`, SHORT), never);
    expect(result).toMatchObject({ status: 'passing', output: expect.stringMatching(/Output: some$/) });
  });

  it('tells why a connection failed', async () => {
    const port = await http(() => {});
    servers.pop()!.close();
    const result = await probe(httpPlan(`http://127.0.0.1:${port}/`), never);
    expect(result).toEqual({
      status: 'critical',
      output: `Get "http://127.0.0.1:${port}/": dial tcp 127.0.0.1:${port}: connect: connection refused`,
    });
  });

  it('tells that the other side hung up or spoke something else', async () => {
    const silent = await listening(createTcpServer((socket) => socket.destroy()));
    const noise = await listening(createTcpServer((socket) => socket.end('SSH-2.0-x\r\n')));
    expect(await probe(httpPlan(`http://127.0.0.1:${silent}/`), never)).toMatchObject({ status: 'critical' });
    expect(await probe(httpPlan(`http://127.0.0.1:${noise}/`), never)).toMatchObject({ status: 'critical' });
  });

  it('ends soon after it is aborted', async () => {
    const port = await http(() => {});
    const abort = new AbortController();
    const running = probe(httpPlan(`http://127.0.0.1:${port}/`, { Timeout: '60s' }), abort.signal);
    abort.abort();
    expect((await running).status).toBe('critical');
  });
});

describe('tcp probe', () => {
  it('is passing when the port is open', async () => {
    const port = await listening(createTcpServer());
    expect(await probe(tcpPlan(`127.0.0.1:${port}`), never)).toEqual({
      status: 'passing',
      output: `TCP connect 127.0.0.1:${port}: Success`,
    });
  });

  it('is critical with the reason when it is closed', async () => {
    const port = await listening(createTcpServer());
    servers.pop()!.close();
    expect(await probe(tcpPlan(`127.0.0.1:${port}`), never)).toEqual({
      status: 'critical',
      output: `dial tcp 127.0.0.1:${port}: connect: connection refused`,
    });
  });

  it('is critical at the deadline when a TLS handshake is not answered', async () => {
    const port = await listening(createTcpServer());
    const plan = { ...tcpPlan(`127.0.0.1:${port}`, SHORT), tls: true };
    expect(await probe(plan, never)).toEqual({
      status: 'critical',
      output: `dial tcp 127.0.0.1:${port}: i/o timeout`,
    });
  });
});
