import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { FrameReader } from '../../dns/listener/frame-reader.ts';

/** Sends one datagram and gives the first one that comes back, or undefined after `withinMs`. */
export async function udpExchange(
  packet: Uint8Array,
  port: number,
  withinMs = 2_000,
  host = '127.0.0.1',
): Promise<Buffer | undefined> {
  const socket: UdpSocket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  try {
    const reply = once(socket, 'message', { signal: AbortSignal.timeout(withinMs) });
    socket.send(packet, port, host);
    const [message] = (await reply) as [Buffer];
    return message;
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

/** A DNS client over TCP that leaves framing to its user. */
export class TcpClient {
  readonly socket: Socket;
  readonly messages: Uint8Array[] = [];
  closed = false;
  readonly #reader = new FrameReader(65_535);

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.messages.push(...this.#reader.push(chunk).messages));
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('error', () => {});
  }

  static async open(port: number): Promise<TcpClient> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    return new TcpClient(socket);
  }

  /** The ids of the answers so far. */
  get ids(): number[] {
    return this.messages.map((message) => (message[0]! << 8) | message[1]!);
  }

  send(...packets: Uint8Array[]): void {
    this.socket.write(Buffer.concat(packets.map(framed)));
  }
}

/** A message with its two length bytes. */
export function framed(packet: Uint8Array): Buffer {
  const frame = Buffer.alloc(packet.length + 2);
  frame.writeUInt16BE(packet.length);
  frame.set(packet, 2);
  return frame;
}
