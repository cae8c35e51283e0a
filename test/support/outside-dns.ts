import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { encode, type Packet } from 'dns-packet';
import { decodeMessage } from '../../dns/wire/decode-message.ts';
import { framed } from './dns-client.ts';
import { freePort } from './processes/free-port.ts';

/** What it says: the records, a code, nothing at all, a forged id, or over UDP a message that was cut to nothing. */
export type Behaviour = 'answer' | 'servfail' | 'nxdomain' | 'silent' | 'forged' | 'cut';

/** A DNS server outside, on real sockets: every name is an alias of one that has an address. */
export class OutsideDns {
  /** Name and type of each question, in the order in which they came. */
  readonly asked: string[] = [];
  behaviour: Behaviour = 'answer';
  /** Answers wait for this. */
  hold: Promise<unknown> = Promise.resolve();
  #udp: Socket | undefined;
  #tcp: Server | undefined;

  async open(): Promise<number> {
    const udp = createSocket('udp4');
    this.#udp = udp;
    udp.on('message', async (packet, from) => {
      for (const answer of await this.#answers(packet, 'udp')) if (this.#udp) udp.send(answer, from.port, from.address);
    });
    // One port for both transports: a port that UDP alone picks may be taken for TCP.
    const port = await freePort();
    udp.bind(port, '127.0.0.1');
    await once(udp, 'listening');
    this.#tcp = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', async (chunk: Buffer) => {
        for (const answer of await this.#answers(chunk.subarray(2), 'tcp')) socket.write(framed(answer));
      });
    });
    this.#tcp.listen(port, '127.0.0.1');
    await once(this.#tcp, 'listening');
    return port;
  }

  close(): void {
    this.#udp?.close();
    this.#udp = undefined;
    this.#tcp?.close();
  }

  async #answers(packet: Uint8Array, transport: 'udp' | 'tcp'): Promise<Buffer[]> {
    const query = decodeMessage(packet);
    const { name, type } = query.questions![0]!;
    this.asked.push(`${name} ${type}`);
    const { behaviour } = this;
    await this.hold;
    if (behaviour === 'silent') return [];
    const rcode = { answer: 0, cut: 0, forged: 0, servfail: 2, nxdomain: 3 }[behaviour];
    const isCut = behaviour === 'cut' && transport === 'udp';
    const answers = [
      { type: 'CNAME', name, ttl: 9, data: 'real.example.org' },
      { type: 'A', name: 'real.example.org', ttl: 9, data: '192.0.2.7' },
    ];
    const message = encode({
      type: 'response',
      id: query.id,
      flags: rcode | 0x80 | (isCut ? 0x200 : 0),
      questions: query.questions,
      answers: rcode > 0 || isCut ? [] : answers,
    } as Packet);
    if (behaviour === 'forged') message[0] = message[0]! ^ 0xff;
    return [message];
  }
}

/** So many servers, and where they listen, anew for each test of the suite that calls it. */
export function outsideServers(count: number): {
  readonly servers: readonly OutsideDns[];
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
} {
  const servers: OutsideDns[] = [];
  const addresses: { host: string; port: number }[] = [];
  beforeEach(async () => {
    for (let i = 0; i < count; i++) {
      const server = new OutsideDns();
      servers.push(server);
      addresses.push({ host: '127.0.0.1', port: await server.open() });
    }
  });
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
    addresses.length = 0;
  });
  return { servers, addresses };
}
