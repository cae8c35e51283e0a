import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { sendConnected } from '../../core/send-connected.ts';
import { FrameReader } from '../listener/frame-reader.ts';
import { HEADER_BYTES } from '../wire/decode-query.ts';

export interface RecursorAddress {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
}

/** The length of a TCP message has two bytes. */
const MAX_MESSAGE_BYTES = 65_535;

interface Question {
  readonly packet: Uint8Array;
  readonly transport: 'udp' | 'tcp';
  readonly timeoutMs: number;
}

/**
 * Sends a query and gives the response to it: of the same id and question, from the address that was asked. Each question
 * has a port of its own, chosen by the system, so that answers are hard to forge (RFC 5452).
 * @throws AppError `deadline`, `unavailable`.
 */
export function exchange(deps: { clock: Clock }, to: RecursorAddress, question: Question): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const link = question.transport === 'udp' ? overUdp : overTcp;
    let close = () => {};
    let ended = false;
    const timer = deps.clock.after(question.timeoutMs, () => {
      end(new AppError('deadline', `${to.host} did not answer within ${question.timeoutMs} ms`));
    });
    const end = (result: Uint8Array | Error) => {
      ended = true;
      timer.cancel();
      close();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    close = link(to, question.packet, (result) => {
      // What is no answer to the question is as if it had not come.
      if (result instanceof Error || answers(result, question.packet)) end(result);
    });
    // Where there is no port left it has failed already.
    if (ended) close();
  });
}

type Receive = (result: Uint8Array | Error) => void;

function overUdp(to: RecursorAddress, packet: Uint8Array, receive: Receive): () => void {
  const family = isIPv6(to.host) ? 6 : 4;
  const socket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    lookup: (address, _options, callback) => callback(null, address, family),
  });
  socket.on('error', (error) => receive(failed(to, error)));
  socket.on('message', (message) => receive(message));
  let open = true;
  sendConnected(socket, { address: to.host, port: to.port }, packet, (error) => receive(failed(to, error)));
  return () => {
    if (open) socket.close();
    open = false;
  };
}

function overTcp(to: RecursorAddress, packet: Uint8Array, receive: Receive): () => void {
  const socket = connect(to.port, to.host);
  const reader = new FrameReader(MAX_MESSAGE_BYTES);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(packet.length);
  socket.on('error', (error) => receive(failed(to, error)));
  socket.on('close', () => receive(failed(to, new Error('the connection was closed'))));
  socket.on('data', (chunk: Buffer) => {
    for (const message of reader.push(chunk).messages) receive(message);
  });
  socket.write(Buffer.concat([length, packet]));
  return () => {
    socket.removeAllListeners('close');
    socket.destroy();
  };
}

function failed(to: RecursorAddress, cause: Error): AppError {
  return new AppError('unavailable', `${to.host}: ${cause.message}`, { cause });
}

/** Whether it is the response to this query: id, QR and the question's bytes (case too, as resolvers keep it). */
function answers(message: Uint8Array, query: Uint8Array): boolean {
  if (message.length < HEADER_BYTES || message[0] !== query[0] || message[1] !== query[1]) return false;
  if ((message[2]! & 0x80) === 0) return false;
  const end = questionEnd(query);
  const refused = message[4] === 0 && message[5] === 0;
  if (refused) return true; // a server that cannot read the question does not repeat it
  if (message.length < end) return false;
  for (let at = HEADER_BYTES; at < end; at++) if (lower(message[at]!) !== lower(query[at]!)) return false;
  return true;
}

function questionEnd(query: Uint8Array): number {
  let at = HEADER_BYTES;
  while (query[at]) at += 1 + query[at]!;
  return at + 5;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}
