import { SystemClock } from '../../core/clock.ts';
import { createLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { eventually } from '../../test/support/eventually.ts';
import { HttpConnection } from '../../test/support/http-connection.ts';
import { started } from '../../test/support/started.ts';
import { withoutTokens } from './request-log.ts';
import type { Route, RouteResponse } from './route.ts';
import { createHttpServer } from './server.ts';

const kept: RouteResponse = {
  bytes: Buffer.from('1'),
  headers: { 'content-type': 'application/json' },
  shared: true,
  again: () => kept,
};
const routes: Route[] = [
  { method: 'GET', path: '/v1/kept', handle: () => kept },
  { method: 'PUT', path: '/v1/kept', handle: () => ({ json: true }) },
];

describe('the log of requests', () => {
  const log = createLogger({ level: 'info', sink: { write() {} } });
  let port: number;
  let stop: () => Promise<void>;
  let connection: HttpConnection;
  beforeEach(async () => {
    const server = createHttpServer(
      { clock: new SystemClock(), log, metrics: new Metrics() },
      { routes, host: '127.0.0.1', port: 0, logsRequests: true },
    );
    stop = await started(server);
    port = server.address().port;
    connection = new HttpConnection(port);
  });
  afterEach(async () => {
    connection.socket.destroy();
    await stop();
  });
  const ask = async (path: string) => {
    connection.ask(path);
    await connection.answer();
  };

  it('tells of every request while somebody reads it, also of those that were not even parsed before', async () => {
    for (let time = 0; time < 4; time++) await ask('/v1/kept');
    const lines: Record<string, unknown>[] = [];
    const untap = log.tap('debug', { write: (line) => lines.push(JSON.parse(line)) });
    await ask('/v1/kept');
    await ask('/v1/nothing?a=1&token=secret');
    connection.socket.write('PUT /v1/kept HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx');
    await connection.answer();
    await eventually(() => lines.length === 3, { withinMs: 5_000 });
    const from = `127.0.0.1:${connection.socket.localPort}`;
    const latency = expect.stringMatching(/^\d+(\.\d+)?(ns|µs|ms|s)$/);
    const line = { level: 'debug', msg: 'Request finished', part: 'http', from, latency };
    expect(lines).toMatchObject([
      { ...line, method: 'GET', url: '/v1/kept' },
      { ...line, method: 'GET', url: '/v1/nothing?a=1&token=<hidden>' },
      { ...line, method: 'PUT', url: '/v1/kept' },
    ]);
    untap();
    await ask('/v1/kept');
    const infos: string[] = [];
    const end = log.tap('info', { write: (text) => infos.push(text) });
    await ask('/v1/kept');
    end();
    expect([lines.length, infos]).toEqual([3, []]);
  });

  it.each([
    ['/v1/kv/a?token=x', '/v1/kv/a?token=<hidden>'],
    ['/v1/kv/token=x?%74oken=x&raw', '/v1/kv/token=x?%74oken=<hidden>&raw'],
    ['/v1/kv/a?index=1&tokens=2&token', '/v1/kv/a?index=1&tokens=2&token'],
    ['/v1/kv/a?token=x?y&token=z', '/v1/kv/a?token=<hidden>&token=<hidden>'],
    ['/v1/acl/clone/secret?a=1', '/v1/acl/clone/<hidden>?a=1'],
    ['/v1/acl/list', '/v1/acl/list'],
    ['/v1/acl/clone/', '/v1/acl/clone/'],
    ['/v1/aclx/clone/a', '/v1/aclx/clone/a'],
    ['/v1/kv//a%2fb/../c', '/v1/kv//a%2fb/../c'],
    ['//v1/acl/clone/secret', '/v1/acl/clone/<hidden>'],
    ['/v1//acl/clone//secret?a=1', '/v1/acl/clone/<hidden>?a=1'],
    ['/v1/./acl/clone/secret', '/v1/acl/clone/<hidden>'],
    ['/v1/kv/../acl/clone/secret', '/v1/acl/clone/<hidden>'],
    ['/v1/acl/clone/secret/..', '/v1/acl/clone/<hidden>'],
    ['/v1/acl/x/../clone/secret/../../..', '/v1/acl/clone/<hidden>'],
    ['/v1/%61cl/clone/secret', '/v1/acl/clone/<hidden>'],
    ['/V1/ACL/clone/secret', '/v1/acl/clone/<hidden>'],
    ['/v1%2Facl%2fclone%2Fsecret', '/v1/acl/clone/<hidden>'],
    ['/v1/%2e/acl/%2E%2e/acl/clone/secret', '/v1/acl/clone/<hidden>'],
    ['/v1/%61cl/clone/secret%zz%ff', '/v1/acl/clone/<hidden>'],
    ['http://127.0.0.1:8500/v1/acl/clone/secret', '/v1/acl/clone/<hidden>'],
  ])('shows %s without tokens', (url, shown) => {
    expect(withoutTokens(url)).toBe(shown);
  });
});
