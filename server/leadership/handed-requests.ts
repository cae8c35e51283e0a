import { endToEnd } from '../../api/http/forwarding.ts';
import type { ReadMeta, Route, RouteRequest, RouteResponse } from '../../api/http/route.ts';
import { AppError } from '../../core/errors.ts';
import { lengthFrame } from '../../core/length-frames.ts';

/*
 * What servers say to the one that leads, on one connection each that lasts: frames with their length before them (u32),
 * and in each of them
 *   u32  the number of the request, which its answer has too; 0 from the leader: nothing more is taken on this connection
 *   u32  bytes of the JSON text that follows: RequestHead or AnswerHead
 *   the rest is the body
 */

/** Where a connection becomes one of frames; on the servers' own port only. */
export const HAND_ON_PATH = '/v1/internal/hand-on';
export const HAND_ON_PROTOCOL = 'lictor-hand-on/1';
/** Marks a request that another server has handed on: it is not handed on again. */
export const FORWARDED_HEADER = 'x-lictor-forwarded-by';

/** A larger body, and what is around it, goes by HTTP. */
const MAX_BODY_BYTES = 64 * 1024;
const MAX_HEAD_CHARACTERS = 16 * 1024;
/** As JSON, a character takes six bytes at most. */
export const MAX_REQUEST_BYTES = 8 + 6 * MAX_HEAD_CHARACTERS + MAX_BODY_BYTES;
/** A longer answer to a read goes by HTTP, where it does not hold up others. */
export const MAX_READ_ANSWER_BYTES = 256 * 1024;
/** What no answer to a write comes near. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Of queries that may wait, and so outlast others by far. */
const WAITING = ['index', 'hash', 'wait'];
const NUMBERS_BYTES = 8;
/** The number of the frame by which a leader says that it takes no more. */
const LAST = 0;

interface RequestHead {
  readonly method: string;
  /** As the route has it, e.g. `/v1/kv/*`. */
  readonly route: string;
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface AnswerHead {
  readonly status?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly meta?: ReadMeta | undefined;
  /** It has to be asked for by HTTP; nothing was done. */
  readonly elsewhere?: true;
}

/** A request as it comes to the leader. */
export interface HandedRequest extends RequestHead {
  readonly id: number;
  readonly body: Buffer;
}

/** An answer as it comes back: undefined where it has to be asked for by HTTP. */
export interface HandedAnswer {
  readonly id: number;
  readonly response: RouteResponse | undefined;
}

/** Whether a request can go in a frame: a short one, whose answer comes soon and in one piece. */
export function goesInFrame({ method, path, query, headers, body, bodyStream }: RouteRequest): boolean {
  if (bodyStream || body.length > MAX_BODY_BYTES || path === '/v1/snapshot') return false;
  if (method === 'GET' && WAITING.some((name) => query.has(name))) return false;
  let size = 2 * path.length + query.toString().length;
  for (const name in headers) size += name.length + String(headers[name]).length + 6;
  return size <= MAX_HEAD_CHARACTERS - 100;
}

export function encodeRequest(id: number, route: Pick<Route, 'path'>, request: RouteRequest, from: string): Buffer {
  const head: RequestHead = {
    method: request.method,
    route: route.path,
    path: request.path,
    params: request.params,
    query: request.query.toString(),
    headers: { ...endToEnd(request.headers), [FORWARDED_HEADER]: from },
  };
  return encode(id, head, request.body);
}

/** @throws AppError `badRequest` for anything else. */
export function decodeRequest(frame: Buffer): HandedRequest {
  const { id, head, body } = decode(frame);
  const { method, route, path, params, query, headers } = head as Partial<RequestHead>;
  const fits = isText(method) && isText(route) && isText(path) && isText(query) && isTexts(params) && isTexts(headers);
  if (!fits || id === LAST) throw new AppError('badRequest', 'a frame of a server holds no request');
  return { id, method, route, path, params, query, headers, body };
}

/** The frame of an answer; one without a `response` sends the asker to HTTP. */
export function encodeAnswer(id: number, response: RouteResponse | undefined): Buffer {
  if (!response) return encode(id, { elsewhere: true } satisfies AnswerHead, NOTHING);
  const { status, headers, meta, json, text, bytes } = response;
  if (json === undefined && text === undefined) {
    return encode(id, { status, headers, meta } satisfies AnswerHead, bytes ?? NOTHING);
  }
  const type = json === undefined ? 'text/plain; charset=utf-8' : 'application/json';
  const head: AnswerHead = { status, headers: { 'content-type': type, ...headers }, meta };
  return encode(id, head, Buffer.from(json === undefined ? text! : JSON.stringify(json)));
}

/** Undefined: the leader takes no more on this connection. @throws AppError `badRequest` for anything else. */
export function decodeAnswer(frame: Buffer): HandedAnswer | undefined {
  const { id, head, body } = decode(frame);
  if (id === LAST) return undefined;
  const { status, headers, meta, elsewhere } = head as AnswerHead;
  if (elsewhere) return { id, response: undefined };
  const fits = (status === undefined || Number.isInteger(status)) && (headers === undefined || isTexts(headers));
  if (!fits) throw new AppError('badRequest', 'a frame of the leader holds no answer');
  const response: RouteResponse = {
    ...(status === undefined ? {} : { status }),
    ...(headers === undefined ? {} : { headers }),
    ...(meta === undefined ? {} : { meta }),
    bytes: body,
  };
  return { id, response };
}

/** What a leader that stops says last. */
export function encodeLast(): Buffer {
  return encode(LAST, {}, NOTHING);
}

const NOTHING = Buffer.alloc(0);

function encode(id: number, head: object, body: Uint8Array): Buffer {
  const text = Buffer.from(JSON.stringify(head));
  const numbers = Buffer.allocUnsafe(NUMBERS_BYTES);
  numbers.writeUInt32BE(id, 0);
  numbers.writeUInt32BE(text.byteLength, 4);
  return lengthFrame(numbers, text, body);
}

function decode(frame: Buffer): { id: number; head: object; body: Buffer } {
  const textBytes = frame.byteLength < NUMBERS_BYTES ? Infinity : frame.readUInt32BE(4);
  const bodyAt = NUMBERS_BYTES + textBytes;
  if (bodyAt > frame.byteLength) throw new AppError('badRequest', 'a frame is shorter than what it says of itself');
  let head: unknown;
  try {
    head = JSON.parse(frame.toString('utf8', NUMBERS_BYTES, bodyAt));
  } catch (cause) {
    throw new AppError('badRequest', 'the head of a frame must be JSON', { cause });
  }
  if (typeof head !== 'object' || head === null || Array.isArray(head)) {
    throw new AppError('badRequest', 'the head of a frame must be a JSON object');
  }
  return { id: frame.readUInt32BE(0), head, body: frame.subarray(bodyAt) };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTexts(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isText);
}
