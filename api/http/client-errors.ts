import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import { closeWithLinger } from './linger.ts';
import { MAX_HEADERS } from './listener.ts';

/** An error of Node's parser or of its time limits. */
export interface ClientError extends Error {
  readonly code?: string;
  /** The parser's own words. */
  readonly reason?: string;
  readonly bytesParsed?: number;
}

export const TOO_MANY_HEADERS = `Too many request headers, max: ${MAX_HEADERS - 1}`;

/** Each further piece of what cannot be read is an error again. */
const answered = new WeakSet<Socket>();
/** Of which an earlier request has no answer yet. */
const waiting = new WeakSet<Socket>();

/**
 * Answers what is no request at all, in plain text, and closes the connection: nothing that follows on it can be trusted.
 * Where an answer has begun the connection is only closed.
 */
export function answerClientError(
  clock: Pick<Clock, 'after'>,
  error: ClientError,
  socket: Socket,
  maxHeaderBytes: number,
): void {
  if (answered.has(socket)) return;
  // As Node's own handler: it holds the answer that is under way, perhaps to an earlier request.
  const message = (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage;
  if (message?.req.complete && (!message.headersSent || message.writableEnded)) {
    // What came before is answered first, and to its end.
    if (!waiting.has(socket)) {
      message.once('finish', () => {
        waiting.delete(socket);
        answerClientError(clock, error, socket, maxHeaderBytes);
      });
    }
    waiting.add(socket);
    return;
  }
  // Others are those of the connection itself, failed TLS handshakes among them.
  const ofRequest = /^(HPE|ERR_HTTP)_/.test(error.code ?? '');
  if (!ofRequest || !socket.writable || message?.headersSent) {
    socket.destroy();
    return;
  }
  const [status, text] = statusOf(error, socket, maxHeaderBytes);
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Connection: close',
  ];
  answered.add(socket);
  closeWithLinger(clock, socket);
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
}

/**
 * Newer runtimes refuse too many headers and too large ones by the same name, and the parser tells only what it has read of
 * the last piece: that there were too many is certain where all that has come is less than what headers may take.
 */
function overflowText({ bytesParsed = 0 }: ClientError, { bytesRead }: Socket, maxHeaderBytes: number): string {
  const tooLarge = `Request line and headers too large, max size: ${maxHeaderBytes} bytes`;
  if (bytesParsed >= maxHeaderBytes) return tooLarge;
  return bytesRead < maxHeaderBytes ? TOO_MANY_HEADERS : `${tooLarge}; or ${lowerFirst(TOO_MANY_HEADERS)}`;
}

function lowerFirst(text: string): string {
  return `${text[0]!.toLowerCase()}${text.slice(1)}`;
}

function statusOf(error: ClientError, socket: Socket, maxHeaderBytes: number): [string, string] {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return ['431 Request Header Fields Too Large', overflowText(error, socket, maxHeaderBytes)];
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return ['413 Payload Too Large', 'Chunk extensions too large'];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['408 Request Timeout', 'The request was not received in time'];
    default:
      return ['400 Bad Request', `400 Bad Request: ${error.reason || errorText(error)}`];
  }
}
