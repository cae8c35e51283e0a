import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';
import { SystemClock } from '../core/clock.ts';
import { createLogger } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { SystemRandom } from '../core/random.ts';
import { createDns } from '../dns/dns-server.ts';
import { FakeCatalogReader } from '../test/support/fake-catalog-reader.ts';

/**
 * The server half of dns-rate.bench.ts: `node dns-rate-server.ts echo|dns <services>`. Prints its port, then its CPU
 * time in microseconds for every line on standard input, and ends with it.
 */
const [mode, services = '5000'] = process.argv.slice(2);

/** The limit: a socket that sends each packet back. */
async function startEcho(): Promise<number> {
  const socket = createSocket({
    type: 'udp4',
    recvBufferSize: 4 << 20,
    lookup: (address, _, done) => done(null, address, 4),
  });
  socket.on('message', (packet, from) => {
    packet[2] = packet[2]! | 0x80;
    socket.send(packet, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return socket.address().port;
}

/** The real server over a catalog in memory: every service has three healthy instances on nodes of their own. */
async function startDns(): Promise<number> {
  const reader = new FakeCatalogReader();
  for (let i = 0; i < 256; i++) reader.addNode(`node-${i}`, `10.0.0.${i}`);
  for (let i = 0; i < Number(services) * 3; i++) {
    reader.addInstance({ node: `node-${i % 256}`, service: `svc-${Math.floor(i / 3)}`, Port: 8000, status: 'passing' });
  }
  const deps = {
    reader,
    clock: new SystemClock(),
    log: createLogger({ level: 'warn' }),
    metrics: new Metrics(),
    random: new SystemRandom(),
  };
  const dns = createDns(deps, { hosts: ['127.0.0.1'], port: 0, datacenter: 'dc1' });
  await new Promise<void>((resolve, reject) => {
    dns.run({ signal: new AbortController().signal, ready: resolve }).catch(reject);
  });
  return dns.address().port;
}

console.log(await (mode === 'echo' ? startEcho() : startDns()));
for await (const _ of createInterface({ input: process.stdin })) {
  const { user, system } = process.cpuUsage();
  console.log(user + system);
}
process.exit(0);
