import { createSocket } from 'node:dgram';
import { queryBytes } from '../test/support/dig.ts';

/**
 * The load half of dns-rate.bench.ts where dnsperf is not installed: keeps `WINDOW` questions under way on each of a
 * few sockets for `seconds`, and prints how many answers came in a second.
 * `node dns-rate-load.ts <port> <seconds> <type> <services>`
 */
const [port, seconds, type, services] = process.argv.slice(2) as [string, string, string, string];
const SOCKETS = 4;
const WINDOW = 50;
/** A socket that hears nothing for so long has lost packets and starts anew. */
const STALL_MS = 200;

const questions = Array.from({ length: Number(services) }, (_, i) => queryBytes(`svc-${i}.service.consul`, type));
let next = 0;
let answers = 0;
let heard = new Array<number>(SOCKETS).fill(0);

const sockets = Array.from({ length: SOCKETS }, (_, index) => {
  const socket = createSocket({
    type: 'udp4',
    recvBufferSize: 4 << 20,
    lookup: (address, _options, done) => done(null, address, 4),
  });
  socket.on('message', () => {
    answers++;
    heard[index] = heard[index]! + 1;
    ask(index);
  });
  return socket;
});

function ask(index: number): void {
  const packet = questions[next % questions.length]!;
  packet.writeUInt16BE(next & 0xffff);
  next++;
  sockets[index]!.send(packet, Number(port), '127.0.0.1');
}

for (let index = 0; index < SOCKETS; index++) for (let i = 0; i < WINDOW; i++) ask(index);
setInterval(() => {
  heard.forEach((count, index) => {
    if (count === 0) for (let i = 0; i < WINDOW; i++) ask(index);
  });
  heard = heard.map(() => 0);
}, STALL_MS);

const start = performance.now();
setTimeout(() => {
  console.log(answers / ((performance.now() - start) / 1000));
  process.exit(0);
}, Number(seconds) * 1000);
