import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { HttpServerCatalog } from './http-server-catalog.ts';
import { serverOrigin } from './server-address.ts';
import { readText, ServerPool } from './server-pool.ts';

const servers: Server[] = [];
const pools: ServerPool[] = [];
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
async function closedPort(): Promise<string> {
  const target = await serve(() => {});
  await new Promise((resolve) => servers.pop()!.close(resolve));
  return target;
}
/** Tries the servers in the given order: this Random leaves a list of two or three as it is. */
function poolOf(...targets: string[]): ServerPool {
  const deps = { clock: new SystemClock(), log: silentLogger, metrics: new Metrics(), random: { next: () => 0.999 } };
  const pool = new ServerPool(deps, { servers: targets });
  pools.push(pool);
  return pool;
}
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});
const ask = { method: 'GET', path: '/x', deadlineMs: 2000 };

describe('server pool', () => {
  it('goes to the next server when one cannot be reached or cannot serve', async () => {
    let calls = 0;
    const busy = await serve((_, response) => {
      calls++;
      response.writeHead(503).end('starting');
    });
    const good = await serve((_, response) => response.end('fine'));
    const pool = poolOf(await closedPort(), busy, good);
    expect(await readText(await pool.request(ask), 100)).toBe('fine');
    // The one that answered is asked first from now on.
    expect(await readText(await pool.request(ask), 100)).toBe('fine');
    expect(calls).toBe(1);
  });

  it('goes on to the next server where one knows no leader, and tells so when none does', async () => {
    const leaderless = await serve((_, response) => {
      response.writeHead(500, { 'x-lictor-error': 'noLeader' }).end('No cluster leader');
    });
    const failing = await serve((_, response) =>
      response.writeHead(500, { 'x-lictor-error': 'internal' }).end('broken'),
    );
    const unreachable = await serve((_, response) =>
      response.writeHead(500, { 'x-lictor-error': 'unavailable' }).end('a part is out of reach'),
    );
    const good = await serve((_, response) => response.end('fine'));
    expect(await readText(await poolOf(leaderless, good).request(ask), 100)).toBe('fine');
    expect(await readText(await poolOf(unreachable, good).request(ask), 100)).toBe('fine');
    expect(await readText(await poolOf(failing, good).request(ask), 100)).toBe('broken');
    const nobody = await poolOf(leaderless, await closedPort())
      .request(ask)
      .catch((error: Error) => error.message);
    expect(nobody).toMatch(/^No known Consul servers \(.*status 500; .*ECONNREFUSED/);
    const both = await poolOf(leaderless, leaderless.replace('127.0.0.1', 'localhost')).request(ask);
    expect([both.statusCode, await readText(both, 100)]).toEqual([500, 'No cluster leader']);
  });

  it('does not send a write again that may have been done', async () => {
    const calls: string[] = [];
    const breaks = await serve((request, response) => {
      calls.push('breaks');
      request.resume().on('end', () => response.destroy());
    });
    const late = await serve((_, response) => {
      calls.push('late');
      response.writeHead(500, { 'x-lictor-error': 'deadline' }).end('not known');
    });
    const good = await serve((_, response) => {
      calls.push('good');
      response.end('fine');
    });
    const write = { method: 'PUT', path: '/x', body: 'x', deadlineMs: 2000 };
    await expect(poolOf(breaks, good).request(write)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/whether the write was done is not known: read before you repeat it$/),
    });
    expect(await readText(await poolOf(late, good).request(write), 100)).toBe('not known');
    expect(calls).toEqual(['breaks', 'late']);
    expect(await readText(await poolOf(await closedPort(), good).request(write), 100)).toBe('fine');
    for (const bad of [breaks, late]) {
      expect(await readText(await poolOf(bad, good).request({ ...write, repeatable: true }), 100)).toBe('fine');
    }
  });

  it('names every server that failed when none answers', async () => {
    const pool = poolOf(await closedPort(), await closedPort());
    await expect(pool.request(ask)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/^No known Consul servers \(http.*ECONNREFUSED.*; http.*ECONNREFUSED/),
    });
  });

  it('asks nobody while it knows no server, and who is joined from then on', async () => {
    const pool = poolOf();
    await expect(pool.request(ask)).rejects.toMatchObject({
      code: 'noLeader',
      message: 'No known Consul servers',
      facts: { servers: 0 },
    });
    await expect(pool.join(await closedPort())).rejects.toThrow('Failed to join');
    await expect(pool.request(ask)).rejects.toMatchObject({ code: 'noLeader' });
    await pool.join(await serve((_, response) => response.end('fine')));
    expect(await readText(await pool.request(ask), 100)).toBe('fine');
  });

  it('waits for news once, not anew at the next server', async () => {
    const dies = await serve((request) => setTimeout(() => request.socket.destroy(), 1000));
    let asked = '';
    const lives = await serve(({ url = '' }, response) => {
      asked = url;
      response.end('fine');
    });
    const path = '/v1/kv/a?index=7&wait=20s';
    await readText(await poolOf(dies, lives).request({ ...ask, path, deadlineMs: 30_000 }), 100);
    const [, left] = /^\/v1\/kv\/a\?index=7&wait=(\d+)ms$/.exec(asked) ?? [];
    expect(Number(left)).toBeGreaterThan(9_000);
    expect(Number(left)).toBeLessThanOrEqual(19_000);
  });

  it('keeps its deadline when a server hangs', async () => {
    const pool = poolOf(await serve(() => {}));
    const started = performance.now();
    await expect(pool.request({ ...ask, deadlineMs: 200 })).rejects.toMatchObject({ code: 'deadline' });
    expect(performance.now() - started).toBeLessThan(3000);
  });

  it('gives up when told to', async () => {
    const pool = poolOf(await serve(() => {}));
    const abort = new AbortController();
    const running = pool.request({ ...ask, deadlineMs: 60_000, signal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    await expect(running).rejects.toMatchObject({ code: 'shuttingDown' });
  });

  it('asks a server again that was away', async () => {
    const target = await closedPort();
    const pool = poolOf(target);
    await expect(pool.request(ask)).rejects.toMatchObject({ code: 'unavailable' });
    const server = createServer((_, response) => response.end('back'));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(Number(target.split(':')[1]), '127.0.0.1', resolve));
    expect(await readText(await pool.request(ask), 100)).toBe('back');
  });

  it('refuses an answer without end', async () => {
    const pool = poolOf(await serve((_, response) => response.end('x'.repeat(1000))));
    await expect(readText(await pool.request(ask), 100)).rejects.toMatchObject({ code: 'tooLarge' });
  });
});

describe('http server catalog', () => {
  it('sends who writes, and takes errors by their code', async () => {
    let headers: unknown;
    const target = await serve((request, response) => {
      headers = request.headers;
      response.writeHead(409, { 'x-lictor-error': 'notOwner' }).end('not yours');
    });
    const catalog = new HttpServerCatalog({ pool: poolOf(target) });
    const write = catalog.register({ Node: 'n' }, { owner: 'agent/n', epoch: 3, hash: 'abc' });
    await expect(write).rejects.toMatchObject({ code: 'notOwner', message: 'not yours' });
    expect(headers).toMatchObject({ 'x-lictor-owner': 'agent/n', 'x-lictor-epoch': '3', 'x-lictor-hash': 'abc' });
  });

  it.each(['null', '{}', '<html>', ''])('never takes %j for "no entries"', async (body) => {
    const target = await serve((_, response) => response.end(body));
    const catalog = new HttpServerCatalog({ pool: poolOf(target) });
    await expect(catalog.entries('n', new AbortController().signal)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('serverOrigin', () => {
  it.each([
    ['a', 'http://a:8300'],
    ['a.b-c:9', 'http://a.b-c:9'],
    ['10.0.0.1', 'http://10.0.0.1:8300'],
    ['::1', 'http://[::1]:8300'],
    ['[::1]:7', 'http://[::1]:7'],
  ])('reads %s', (target, origin) => expect(serverOrigin(target)).toBe(origin));
  it.each(['', 'a:b', 'a:0', 'a:70000', 'http://a', 'a b'])('refuses %j', (target) =>
    expect(() => serverOrigin(target)).toThrow(/retry_join/),
  );
});
