import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { FakeClock, SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom } from '../../core/random.ts';
import { queryBytes, readResponse } from '../../test/support/dig.ts';
import { framed, TcpClient, udpExchange } from '../../test/support/dns-client.ts';
import { eventually } from '../../test/support/eventually.ts';
import { FakeCatalogReader } from '../../test/support/fake-catalog-reader.ts';
import type { DnsOptions } from '../dns-options.ts';
import { createDns } from '../dns-server.ts';
import type { Listening } from './dns-listener.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
const WITHIN = { withinMs: 10_000 };

interface Running {
  readonly dns: Listening;
  readonly port: number;
  readonly reader: FakeCatalogReader;
  readonly metrics: Metrics;
  stop(): Promise<void>;
}

const running: Running[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
});

async function start(
  options: Partial<DnsOptions> = {},
  clock: SystemClock | FakeClock = new SystemClock(),
): Promise<Running> {
  const reader = new FakeCatalogReader().addNode('n', '10.0.0.1').addInstance({ node: 'n', service: 'web' });
  for (let i = 0; i < 1000; i++)
    reader.addInstance({ node: 'n', service: 'many', Address: `10.1.${i >> 8}.${i & 255}` });
  const metrics = new Metrics();
  const deps = { reader, clock, log: silentLogger, metrics, random: new SeededRandom(5) };
  const dns = createDns(deps, { hosts: ['127.0.0.1'], port: 0, datacenter: 'dc1', ...options });
  const controller = new AbortController();
  let done: Promise<void> = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    done = dns.run({ signal: controller.signal, ready: resolve });
    done.catch(reject);
  });
  const server: Running = {
    dns,
    reader,
    metrics,
    port: dns.address().port,
    async stop() {
      controller.abort();
      await done;
    },
  };
  running.push(server);
  return server;
}

const query = (id: number, name = 'web.service.consul', type = 'A') => queryBytes(name, type, { id });

describe('DNS listener', () => {
  it('answers over UDP and TCP on the same free port', async () => {
    const { port } = await start();
    const over = readResponse((await udpExchange(query(9), port))!);
    expect(over).toMatchObject({ id: 9, answer: { is: 'NOERROR aa', answer: ['web.service.consul 0 A 10.0.0.1'] } });
    const client = await TcpClient.open(port);
    client.send(query(10));
    await eventually(() => client.ids.includes(10), WITHIN);
  });

  it('says where it listens only once it does', async () => {
    const { dns, port, stop } = await start();
    expect(dns.address()).toEqual({ host: '127.0.0.1', port });
    await stop();
    expect(() => dns.address()).toThrow('does not listen');
  });

  it.each(['udp', 'tcp'])('names the port and what to do when its %s half is taken', async (protocol) => {
    const port = await takenPort(protocol);
    await expect(start({ port })).rejects.toMatchObject({
      code: 'addressInUse',
      message: expect.stringMatching(new RegExp(`127.0.0.1 port ${port}/${protocol} is taken.*ports.dns`)),
    });
  });

  it.each(['192.0.2.1', 'localhost', ''])('refuses to listen on "%s", naming the setting', async (host) => {
    await expect(start({ hosts: [host] })).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('addresses.dns'),
    });
  });

  (hasIpv6 ? it : it.skip)('answers over IPv6', async () => {
    const { port } = await start({ hosts: ['::1'] });
    expect(await udpExchange(query(8), port, 5_000, '::1')).toBeDefined();
  });

  it('frees its port when it stops', async () => {
    const first = await start();
    await first.stop();
    const second = await start({ port: first.port });
    expect(second.port).toBe(first.port);
  });

  it('answers what is in work before it stops', async () => {
    const { port, reader, stop } = await start();
    let finish: () => void = () => {};
    reader.delay = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const client = await TcpClient.open(port);
    client.send(query(1));
    const udp = udpExchange(query(2), port, 10_000);
    await eventually(() => reader.lookups === 2, WITHIN);
    const stopped = stop();
    finish();
    await stopped;
    expect(await udp).toBeDefined();
    await eventually(() => client.closed && client.ids.includes(1), WITHIN);
  });

  it('drops UDP questions past its limit and answers again afterwards', async () => {
    const { port, reader, metrics } = await start({ maxUdpInFlight: 2 });
    let finish: () => void = () => {};
    reader.delay = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const first = [udpExchange(query(1), port, 10_000), udpExchange(query(2), port, 10_000)];
    await eventually(() => reader.lookups === 2, WITHIN);
    const third = udpExchange(query(3), port, 300);
    expect(await third).toBeUndefined();
    expect(await metrics.text()).toContain('lictor_dns_udp_dropped_total{reason="overload"} 1');
    finish();
    expect((await Promise.all(first)).every(Boolean)).toBe(true);
    expect(await udpExchange(query(4), port)).toBeDefined();
  });
});

describe('DNS over TCP', () => {
  it('answers many questions sent at once, each with its id', async () => {
    const { port } = await start();
    const client = await TcpClient.open(port);
    const ids = Array.from({ length: 500 }, (_, i) => i + 1);
    client.send(...ids.map((id) => query(id)));
    await eventually(() => client.messages.length === 500, WITHIN);
    expect(client.ids.sort((a, b) => a - b)).toEqual(ids);
  });

  it('answers in the order of the answers, not of the questions', async () => {
    const { port, reader } = await start();
    let finish: () => void = () => {};
    reader.delay = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const client = await TcpClient.open(port);
    client.send(query(1), query(2, '0a000001.addr.consul'));
    await eventually(() => client.messages.length === 1, WITHIN);
    expect(client.ids).toEqual([2]);
    finish();
    await eventually(() => client.ids.includes(1), WITHIN);
  });

  it('reads a question that comes byte by byte', async () => {
    const { port } = await start();
    const client = await TcpClient.open(port);
    client.socket.setNoDelay(true);
    for (const byte of framed(query(3))) client.socket.write(Buffer.from([byte]));
    await eventually(() => client.ids.includes(3), WITHIN);
  });

  it('answers a client that has finished sending, then closes', async () => {
    const { port } = await start();
    const client = await TcpClient.open(port);
    client.socket.end(Buffer.concat([framed(query(4)), framed(query(5))]));
    await eventually(() => client.closed, WITHIN);
    expect(client.ids.sort()).toEqual([4, 5]);
  });

  it('refuses a malformed question and reads on', async () => {
    const { port } = await start();
    const client = await TcpClient.open(port);
    client.send(query(6).subarray(0, 20), query(7));
    await eventually(() => client.messages.length === 2, WITHIN);
    const codes = client.messages.map((message) => readResponse(message).answer.is);
    expect(codes.sort()).toEqual(['FORMERR', 'NOERROR aa']);
  });

  it.each([
    ['a message without header', framed(Buffer.from('GET / HTTP/1.1\r\n').subarray(0, 5))],
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['an empty message', Buffer.from([0, 0])],
  ])('closes a connection that sends %s', async (_, bytes) => {
    const { port } = await start();
    const client = await TcpClient.open(port);
    client.socket.write(bytes);
    await eventually(() => client.closed, WITHIN);
    expect(client.messages).toEqual([]);
  });

  it('closes connections that are idle, and those that never finish a question', async () => {
    const clock = new FakeClock();
    const { port, metrics } = await start({ tcpIdleMs: 30_000, tcpReadMs: 5_000 }, clock);
    const idle = await TcpClient.open(port);
    const partial = await TcpClient.open(port);
    idle.send(query(1));
    partial.socket.write(framed(query(2)).subarray(0, 10));
    await eventually(() => idle.messages.length === 1, WITHIN);
    await eventually(async () => (await metrics.text()).includes('lictor_dns_tcp_connections 2'), WITHIN);
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(4_000);
    expect([idle.closed, partial.closed]).toEqual([false, false]);
    await clock.advance(3_000);
    await eventually(() => partial.closed, WITHIN);
    expect(idle.closed).toBe(false);
    await clock.advance(30_000);
    await eventually(() => idle.closed, WITHIN);
  });

  it('stops reading from a client that does not read, and closes it in the end', async () => {
    const clock = new FakeClock();
    const { port, reader } = await start({ tcpWriteMs: 10_000, tcpReadMs: 5_000 }, clock);
    const client = await TcpClient.open(port);
    client.socket.pause();
    // 16 KiB for each answer: far more than the socket buffers hold.
    const batch = Array.from({ length: 200 }, (_, i) => query(i, 'many.service.consul'));
    for (let i = 0; i < 20; i++) client.send(...batch);
    const taken = () => reader.lookups;
    let before = -1;
    await eventually(
      () => {
        const settled = taken() === before && before > 0;
        before = taken();
        return settled;
      },
      { withinMs: 10_000, everyMs: 100 },
    );
    expect(taken()).toBeLessThan(4_000);
    await clock.advance(11_000);
    client.socket.resume();
    await eventually(() => client.closed, WITHIN);
    expect(await udpExchange(query(1), port)).toBeDefined();
  });

  it('makes room by closing the longest idle connection, and refuses when all are busy', async () => {
    const { port, reader } = await start({ maxTcpConnections: 2 });
    const first = await TcpClient.open(port);
    first.send(query(1));
    await eventually(() => first.ids.includes(1), WITHIN);
    const second = await TcpClient.open(port);
    second.send(query(2));
    await eventually(() => second.ids.includes(2), WITHIN);
    const third = await TcpClient.open(port);
    await eventually(() => first.closed, WITHIN);
    reader.delay = new Promise(() => {});
    second.send(query(3));
    third.send(query(4));
    await eventually(() => reader.lookups === 4, WITHIN);
    const fourth = await TcpClient.open(port);
    await eventually(() => fourth.closed, WITHIN);
    expect([second.closed, third.closed]).toEqual([false, false]);
  });
});

/** A port of 127.0.0.1 of which only the named half is taken, until the test ends. */
/** A port of which one half is taken; the other one is free, unless somebody else has it by chance. */
async function takenPort(protocol: string): Promise<number> {
  for (;;) {
    const port = await takenHalf(protocol);
    if (await isFree(protocol === 'tcp' ? 'udp' : 'tcp', port)) return port;
  }
}

async function isFree(protocol: string, port: number): Promise<boolean> {
  const one =
    protocol === 'tcp' ? createServer().listen(port, '127.0.0.1') : createSocket('udp4').bind(port, '127.0.0.1');
  const free = await once(one, 'listening').then(
    () => true,
    () => false,
  );
  if (free) await new Promise<void>((resolve) => one.close(() => resolve()));
  return free;
}

async function takenHalf(protocol: string): Promise<number> {
  if (protocol === 'tcp') {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    server.unref();
    return (server.address() as { port: number }).port;
  }
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.unref();
  return socket.address().port;
}
