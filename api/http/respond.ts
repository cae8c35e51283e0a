import type { ServerResponse } from 'node:http';
import { pipeline, type Readable } from 'node:stream';
import { constants, gzip } from 'node:zlib';
import { AppError, errorRow, errorText } from '../../core/errors.ts';
import { setIdleTimeout } from '../../core/idle-timeout.ts';
import { headerList } from './header-names.ts';
import type { ReadMeta, RouteResponse } from './route.ts';

/** Bodies below this are sent as they are: compressing them costs more than it saves (Consul's limit). */
const GZIP_MIN_BYTES = 1400;

/** The header that carries the code of the error table, so that our own clients need not guess from the status. */
export const ERROR_CODE_HEADER = 'x-lictor-error';

const JSON_TYPE = 'application/json';
const TEXT_TYPE = 'text/plain; charset=utf-8';

/** What of the request decides about the form of the answer. */
export interface AnswerForm {
  readonly pretty: boolean;
  readonly gzip: boolean;
  readonly head: boolean;
  /** Whether the connection is to be closed after this answer. */
  readonly close: boolean;
  /** Headers that every answer has unless it sets them itself; lower-case names. */
  readonly extra: Readonly<Record<string, string>>;
}

/** A client that takes nothing of its answer for so long is let go. */
export const STALLED_MS = 60_000;

/** Lower-case names, so that each is there once. */
type Headers = Record<string, string | number>;

/** One form of an answer that is given again and again: its headers in the order in which they are sent, and its body. */
export interface Prepared {
  readonly answer: RouteResponse;
  readonly extra: AnswerForm['extra'];
  readonly list: string[];
  /** The status line of a 200 and the same headers, each with its end. */
  readonly head: string;
  readonly bytes: Uint8Array;
  /** A short body as a text of one character a byte, which goes out with the headers in one piece. */
  readonly body: string | Uint8Array;
}

/** The forms that were prepared of an answer, at the answer itself: they go with it, and are found without a look-up. */
const PLAIN = Symbol('plain');
const PACKED = Symbol('packed');
const PRETTY = Symbol('pretty');
const PRETTY_PACKED = Symbol('pretty and packed');
type FormName = typeof PLAIN | typeof PACKED | typeof PRETTY | typeof PRETTY_PACKED;
type WithForms = RouteResponse & { [Name in FormName]?: Prepared };

/**
 * The form of an answer of bytes; kept for the next one who gets the same object. Undefined while it is still to be packed,
 * which `respond` does.
 */
export function prepared(answer: WithForms, form: Pick<AnswerForm, 'pretty' | 'gzip' | 'extra'>): Prepared | undefined {
  const whole = inForm(answer.bytes!, answer.headers?.['content-type'], form);
  const gzip = form.gzip && whole.length >= GZIP_MIN_BYTES;
  const name = formName(form.pretty, gzip);
  const known = answer[name];
  // That of a copied answer is not its own.
  if (known?.answer === answer && known.extra === form.extra) return known;
  const bytes = gzip ? packedForms.get(whole) : whole;
  if (!bytes) return undefined;
  const headers: Headers = { ...commonHeaders(answer.meta, { ...form, close: false }), ...answer.headers };
  if (gzip) headers['content-encoding'] = 'gzip';
  headers['content-length'] = bytes.length;
  const list = headerList(headers);
  const lines = list.map((text, at) => (at % 2 === 0 ? `${text}: ` : `${text}\r\n`));
  const head = `HTTP/1.1 200 OK\r\n${lines.join('')}`;
  const body = bytes.length <= MAX_JOINED_TEXT ? Buffer.from(bytes).toString('latin1') : bytes;
  const made = { answer, extra: form.extra, list, head, bytes, body };
  answer[name] = made;
  return made;
}

function formName(pretty: boolean, gzip: boolean): FormName {
  if (pretty) return gzip ? PRETTY_PACKED : PRETTY;
  return gzip ? PACKED : PLAIN;
}

/** Sends an answer in a form that was prepared, with the same headers as `respond`. */
export function respondPrepared(response: ServerResponse, { answer, list, body }: Prepared): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(answer.status ?? 200, list);
  response.end(body, 'latin1');
  cutStalled(response);
}

/** Sends an answer of bytes that others get too: in the form that is made once, where that is what is wanted. */
export function respondAgain(response: ServerResponse, answer: RouteResponse, form: AnswerForm): void {
  const ready = form.head || form.close ? undefined : prepared(answer, form);
  if (ready) respondPrepared(response, ready);
  else respond(response, answer, form);
}

/** Sends a RouteResponse with the headers that every answer has. */
export function respond(response: ServerResponse, answer: RouteResponse, form: AnswerForm): void {
  if (response.destroyed || response.headersSent) {
    answer.stream?.destroy();
    return;
  }
  const headers = commonHeaders(answer.meta, form);
  if (answer.headers)
    for (const name of Object.keys(answer.headers)) headers[name.toLowerCase()] = answer.headers[name]!;
  const status = answer.status ?? 200;
  if (answer.stream) {
    response.writeHead(status, headerList(headers));
    // Small lines have to leave at once; the first byte of the headers too.
    response.flushHeaders();
    cutStalledStream(answer.stream, response);
    pipeline(answer.stream, response, () => {});
    return;
  }
  const body = bodyOf(answer, headers, form);
  if (form.gzip && body.length >= GZIP_MIN_BYTES && headers['content-encoding'] === undefined) {
    // Bytes that are given as they are may be given again: one who asks first has them packed for all.
    packed(body, answer.bytes && inForm(answer.bytes, headers['content-type'], form), (bytes) => {
      if (bytes) headers['content-encoding'] = 'gzip';
      finish(response, status, headers, bytes ?? body, form);
    });
    return;
  }
  finish(response, status, headers, body, form);
}

/** The packed form of answers that several requests share, for as long as the answer is kept. */
const packedForms = new WeakMap<Uint8Array, Buffer>();
/** Who waits for the packed form of such an answer: it is made once, however many want it at a time. */
const packing = new WeakMap<Uint8Array, ((bytes: Buffer | undefined) => void)[]>();

function joinable(text: string): Buffer | string {
  return text.length <= MAX_JOINED_TEXT ? text : Buffer.from(text);
}

function packed(
  body: Buffer | string,
  shared: Uint8Array | undefined,
  done: (bytes: Buffer | undefined) => void,
): void {
  if (!shared) {
    gzip(body, { level: constants.Z_BEST_SPEED }, (error, bytes) => done(error ? undefined : bytes));
    return;
  }
  const known = packedForms.get(shared);
  const waiting = packing.get(shared);
  if (known || waiting) {
    if (known) done(known);
    else waiting!.push(done);
    return;
  }
  const all = [done];
  packing.set(shared, all);
  gzip(body, { level: constants.Z_BEST_SPEED }, (error, bytes) => {
    packing.delete(shared);
    if (!error) packedForms.set(shared, bytes);
    for (const one of all) one(error ? undefined : bytes);
  });
}

/** The answer to a thrown value: status by the error table, the text as plain text, the code as a header. */
export function errorResponse(error: unknown): RouteResponse {
  const code = error instanceof AppError ? error.code : 'internal';
  return { status: errorRow(error).http, text: errorText(error), headers: { [ERROR_CODE_HEADER]: code } };
}

function finish(
  response: ServerResponse,
  status: number,
  headers: Headers,
  body: Buffer | string,
  form: AnswerForm,
): void {
  if (response.destroyed) return;
  headers['content-length'] = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  response.writeHead(status, headerList(headers));
  if (form.head) response.end();
  else response.end(body);
  cutStalled(response);
}

/** Lets go of a connection whose client does not take the rest; Node counts each byte taken as a new start. */
function cutStalled(response: ServerResponse): void {
  if (response.writableLength > 0) setIdleTimeout(response.socket, STALLED_MS);
}

/** A stream may be silent for long; only while it has something that the client does not take does the time run. */
function cutStalledStream(stream: Readable, response: ServerResponse): void {
  stream.on('data', () => {
    if (response.writableNeedDrain) setIdleTimeout(response.socket, STALLED_MS);
  });
  response.on('drain', () => setIdleTimeout(response.socket, 0));
}

/** A text up to this length goes out with its headers in one piece; a longer one costs more to join than to send. */
const MAX_JOINED_TEXT = 1024;

function bodyOf(answer: RouteResponse, headers: Headers, form: AnswerForm): Buffer | string {
  if (answer.json !== undefined) {
    headers['content-type'] ??= JSON_TYPE;
    return joinable(form.pretty ? `${JSON.stringify(answer.json, null, 4)}\n` : JSON.stringify(answer.json));
  }
  if (answer.text !== undefined) {
    headers['content-type'] ??= TEXT_TYPE;
    return joinable(answer.text);
  }
  if (!answer.bytes) return Buffer.alloc(0);
  const bytes = inForm(answer.bytes, headers['content-type'], form);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The forms in lines of bytes that are given as they are, for as long as those are kept. */
const prettyForms = new WeakMap<Uint8Array, Buffer>();

/** The bytes of an answer, in lines where that is wanted: made once for all who get the same ones. */
function inForm(bytes: Uint8Array, type: unknown, { pretty }: Pick<AnswerForm, 'pretty'>): Uint8Array {
  // An answer without a body may say that it is JSON, as Consul's do.
  if (!pretty || type !== JSON_TYPE || bytes.length === 0) return bytes;
  const known = prettyForms.get(bytes);
  if (known) return known;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  const made = Buffer.from(`${JSON.stringify(JSON.parse(text, exactNumbers), null, 4)}\n`);
  prettyForms.set(bytes, made);
  return made;
}

/** Flags of keys have 64 bits: what JavaScript would round stays as it was written. */
function exactNumbers(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || !Number.isInteger(value) || Number.isSafeInteger(value)) return value;
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(context!.source!);
}

function commonHeaders(meta: ReadMeta | undefined, form: Pick<AnswerForm, 'extra' | 'close'>): Headers {
  const headers: Headers = { ...form.extra, vary: 'Accept-Encoding', 'x-consul-default-acl-policy': 'allow' };
  if (form.close) headers.connection = 'close';
  if (!meta) return headers;
  if (meta.index !== undefined) headers['x-consul-index'] = Math.max(meta.index, 1);
  if (meta.knownLeader !== undefined) headers['x-consul-knownleader'] = String(meta.knownLeader);
  if (meta.lastContactMs !== undefined) headers['x-consul-lastcontact'] = Math.round(meta.lastContactMs);
  if (meta.effectiveConsistency !== undefined) headers['x-consul-effective-consistency'] = meta.effectiveConsistency;
  return headers;
}
