import { FakeClock, SystemClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom } from '../../core/random.ts';
import { answerSettings } from '../../dns/dns-options.ts';
import { createDns } from '../../dns/dns-server.ts';
import { createResponder, type Responder } from '../../dns/responder.ts';
import { decodeMessage } from '../../dns/wire/decode-message.ts';
import { decodeQuery } from '../../dns/wire/decode-query.ts';
import { queryBytes } from '../support/dig.ts';
import { framed, TcpClient, udpExchange } from '../support/dns-client.ts';
import { eventually } from '../support/eventually.ts';
import { FakeCatalogReader } from '../support/fake-catalog-reader.ts';
import { heapAfterCollection } from '../support/heap.ts';

/**
 * Mutated packets. The law: no crash, no answer to what is no well-formed question but FORMERR or NOTIMP, an answer
 * that another codec can read, and flat memory. FUZZ_RUNS sets how many packets, FUZZ_SEED which.
 */
const RUNS = Number(process.env.FUZZ_RUNS ?? 20_000);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
/** A leak of ten bytes a packet shows in a million; compiled code and filled caches stay below. */
const MAX_GROWTH_BYTES = 6 * 1024 * 1024;

const SEEDS: readonly Buffer[] = [
  queryBytes('web.service.consul', 'A'),
  queryBytes('_web._blue.service.shop.ns.dc1.dc.consul', 'SRV', { edns: 1232 }),
  queryBytes('grpc.port.web.service.consul', 'SRV', { edns: 4096 }),
  queryBytes('alpha.node.consul', 'ANY'),
  queryBytes('0a1e0001.addr.dc1.consul', 'AAAA'),
  queryBytes('consul', 'SOA'),
  queryBytes('many.service.consul', 'SRV', { edns: 512 }),
  queryBytes('loop.service.consul', 'A'),
  queryBytes('example.org', 'TXT'),
  queryBytes('_near._tcp.query.dc1.consul', 'SRV', { edns: 1232 }),
  queryBytes('web.virtual.consul', 'A'),
  queryBytes('1.0.0.10.in-addr.arpa', 'PTR'),
];

function catalog(): FakeCatalogReader {
  const reader = new FakeCatalogReader().addServer('alpha', '10.0.0.1', { Meta: { k: 'v', 'a=b': 'x'.repeat(300) } });
  reader.addInstance({ node: 'alpha', service: 'web', Tags: ['blue'], Ports: [{ Name: 'grpc', Port: 9 }] });
  reader.queries.set('near', { service: 'web', ttlSeconds: 8, entries: [] });
  reader.virtuals.set('web', '240.0.0.1');
  reader.owners.set('10.0.0.1', { service: { namespace: 'default', name: 'x'.repeat(300) } });
  reader.addInstance({ node: 'alpha', service: 'loop', Address: 'loop.service.consul' });
  for (let i = 0; i < 40; i++)
    reader.addInstance({ node: 'alpha', service: 'many', Address: `2001:db8::${i}`, Port: i });
  return reader;
}

/** One packet: a seed with a few bytes flipped, cut, grown, spliced or swapped, or plain noise. */
function mutate(random: SeededRandom): Buffer {
  const int = (below: number) => Math.floor(random.next() * below);
  let packet: Buffer = Buffer.from(SEEDS[int(SEEDS.length)]!);
  for (let rounds = 1 + int(4); rounds > 0; rounds--) {
    const at = int(Math.max(1, packet.length));
    switch (int(9)) {
      case 0:
        packet[at] = int(256);
        break;
      case 1:
        packet[at] = packet[at]! ^ (1 << int(8));
        break;
      case 2:
        packet = packet.subarray(0, at);
        break;
      case 3:
        packet = Buffer.concat([packet, Buffer.from(Array.from({ length: 1 + int(40) }, () => int(256)))]);
        break;
      case 4: // a pointer somewhere
        packet = Buffer.concat([
          packet.subarray(0, at),
          Buffer.from([0xc0 | int(64), int(256)]),
          packet.subarray(at + 2),
        ]);
        break;
      case 5: // counts
        if (packet.length >= 12) packet.writeUInt16BE(random.next() < 0.5 ? int(4) : int(65_536), 4 + 2 * int(4));
        break;
      case 6: {
        const other = SEEDS[int(SEEDS.length)]!;
        packet = Buffer.concat([packet.subarray(0, at), other.subarray(int(other.length))]);
        break;
      }
      case 7:
        packet = Buffer.from(Array.from({ length: int(64) }, () => int(256)));
        break;
      default: // a record more
        if (packet.length >= 12) packet.writeUInt16BE((packet.readUInt16BE(10) + 1) & 0xffff, 10);
        packet = Buffer.concat([packet, Buffer.from([int(2) ? 0 : 0xc0, 0, 41, 16, 0, 0, int(3), 0, 0, 0, int(12)])]);
    }
  }
  return packet;
}

type Verdict = 'answered' | 'refused' | 'dropped';

/** Whether the answer to a packet keeps the law; an Error says how not. */
function judge(packet: Buffer, answer: Uint8Array | undefined): Verdict {
  const isQuery = packet.length >= 12 && (packet[2]! & 0x80) === 0;
  if (!isQuery) {
    if (answer) throw new Error('an answer to what is no query');
    return 'dropped';
  }
  if (!answer) throw new Error('no answer to a query');
  if (answer[0] !== packet[0] || answer[1] !== packet[1]) throw new Error('another id');
  if ((answer[2]! & 0x80) === 0) throw new Error('the answer is no response');
  decodeMessage(answer);
  const rcode = answer[3]! & 0x0f;
  const wanted = wellFormed(packet);
  if (wanted === 'malformed' && rcode !== 1 && rcode !== 4) throw new Error(`rcode ${rcode} to a malformed question`);
  if (wanted === 'question' && rcode === 1) throw new Error('FORMERR to a well-formed question');
  return wanted === 'question' ? 'answered' : 'refused';
}

function wellFormed(packet: Buffer): 'question' | 'malformed' {
  try {
    decodeQuery(packet);
    return 'question';
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'decode') throw error;
    if (typeof error.facts.offset !== 'number' || typeof error.facts.field !== 'string')
      throw new Error('no offset or field');
    return 'malformed';
  }
}

function responder(): Responder {
  const settings = answerSettings({ hosts: [''], port: 0, datacenter: 'dc1' });
  const deps = {
    reader: catalog(),
    clock: new FakeClock(),
    log: silentLogger,
    metrics: new Metrics(),
    random: new SeededRandom(2),
  };
  return createResponder(deps, { settings, lookupTimeoutMs: 2_000 });
}

function describePacket(packet: Buffer, error: unknown): Error {
  return new Error(`packet ${packet.toString('hex')}: ${error instanceof Error ? error.message : error}`);
}

it(`keeps the law over ${RUNS} mutated packets`, async () => {
  const target = responder();
  const random = new SeededRandom(SEED);
  const verdicts = { answered: 0, refused: 0, dropped: 0 };
  let before = 0;
  for (let i = 0; i < RUNS; i++) {
    if (i === Math.floor(RUNS / 4)) before = heapAfterCollection();
    const packet = mutate(random);
    try {
      verdicts[judge(packet, await target.respond(packet, i % 3 === 0 ? 'tcp' : 'udp'))]++;
    } catch (error) {
      throw describePacket(packet, error);
    }
  }
  // A fuzzer that only ever makes one kind of packet proves nothing.
  for (const count of Object.values(verdicts)) expect(count).toBeGreaterThan(RUNS / 50);
  expect(heapAfterCollection() - before).toBeLessThan(MAX_GROWTH_BYTES);
}, 600_000);

it('survives mutated packets on the real sockets', async () => {
  const deps = {
    reader: catalog(),
    clock: new SystemClock(),
    log: silentLogger,
    metrics: new Metrics(),
    random: new SeededRandom(2),
  };
  const dns = createDns(deps, { hosts: ['127.0.0.1'], port: 0, datacenter: 'dc1' });
  const controller = new AbortController();
  let done: Promise<void> = Promise.resolve();
  await new Promise<void>((resolve) => {
    done = dns.run({ signal: controller.signal, ready: resolve });
  });
  const { port } = dns.address();
  const random = new SeededRandom(SEED + 1);
  const runs = Math.min(2_000, Math.ceil(RUNS / 20));
  for (let i = 0; i < runs; i += 20) {
    // A good question after each handful: all of them have been taken, and the server still answers.
    const client = await TcpClient.open(port);
    const packets = Array.from({ length: 19 }, () => mutate(random));
    client.socket.write(
      Buffer.concat([...packets.map(framed), framed(queryBytes('web.service.consul', 'A', { id: 4711 }))]),
    );
    await Promise.all(packets.map((packet) => udpExchange(packet, port, 1)));
    expect(await udpExchange(SEEDS[0]!, port, 10_000)).toBeDefined();
    await eventually(() => client.closed || client.ids.includes(4711), { withinMs: 10_000 });
    client.socket.destroy();
  }
  controller.abort();
  await done;
}, 120_000);
