import { request } from 'node:http';
import { gunzipSync } from 'node:zlib';
import type { Answer } from './answer.ts';
import { type Context, fill } from './context.ts';
import type { Step } from './step.ts';

/** Sends the request of a step; what the network does to it is an answer of status 0. */
export function sendHttp(
  context: Context,
  step: Step,
  given: { saved?: ReadonlyMap<string, Buffer>; number?: number } = {},
): Promise<Answer> {
  const [method = 'GET', ...rest] = fill(context, step.http!).split(' ');
  const numbered = (text: string) => (given.number === undefined ? text : text.replaceAll('{n}', String(given.number)));
  const url = numbered(rest.join(' '));
  const body = bodyOf(context, step, given.saved);
  const headers = { ...fill(context, step.send ?? {}) };
  const token = step.token === undefined ? context.variables.get('token') : step.token;
  if (token && !('X-Consul-Token' in headers)) headers['X-Consul-Token'] = token;
  const bytes = typeof body === 'string' ? Buffer.from(numbered(body)) : body;
  return new Promise((resolve) => {
    const failed = (error: Error) =>
      resolve({ status: 0, headers: {}, text: `no answer: ${error.message}`, raw: Buffer.alloc(0) });
    const timeout = (step.timeout ?? 30) * 1000;
    const sent = request(
      {
        ...context.http,
        method,
        path: url,
        agent: false,
        timeout,
        headers: withLength(headers, bytes),
      },
      (reply) => {
        const chunks: Buffer[] = [];
        reply.on('data', (chunk: Buffer) => chunks.push(chunk));
        reply.on('error', failed);
        reply.on('end', () => {
          const answer = answerOf(reply.statusCode ?? 0, reply.headers, Buffer.concat(chunks));
          const { status, headers: answered, raw: body } = answer;
          context.exchanges.push({ method, url, status, headers: answered, body });
          resolve(answer);
        });
      },
    );
    sent.on('timeout', () => sent.destroy(new Error('timed out')));
    sent.on('error', failed);
    sent.end(bytes);
  });
}

function withLength(headers: Record<string, string>, body: Buffer | undefined): Record<string, string> {
  return body && !Object.keys(headers).some((name) => name.toLowerCase() === 'content-length')
    ? { ...headers, 'Content-Length': String(body.length) }
    : headers;
}

function bodyOf(
  context: Context,
  step: Step,
  saved: ReadonlyMap<string, Buffer> | undefined,
): string | Buffer | undefined {
  if (step.json_repeat) {
    const item = JSON.stringify(fill(context, step.json_repeat.item));
    const items = Array.from({ length: step.json_repeat.count }, (_, at) => item.replaceAll('{n}', String(at + 1)));
    return `[${items.join(',')}]`;
  }
  if (step.body_repeat) return step.body_repeat[0].repeat(step.body_repeat[1]);
  if (step.body_saved !== undefined) return saved?.get(step.body_saved) ?? Buffer.alloc(0);
  if (step.json !== undefined) return JSON.stringify(fill(context, step.json));
  return step.body === undefined ? undefined : fill(context, step.body);
}

function answerOf(status: number, given: NodeJS.Dict<string | string[]>, sent: Buffer): Answer {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) headers[name] = String(value);
  const raw = headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
  const kind = (headers['content-type'] ?? '').split(';')[0];
  if (raw[0] === 0x1f && raw[1] === 0x8b) return { status, headers, raw, tar: tarNames(gunzipSync(raw)) };
  const text = raw.toString();
  if (kind === 'application/json' && text.trim() !== '') {
    try {
      return { status, headers, raw, json: JSON.parse(text) as unknown };
    } catch {
      return { status, headers, raw, text };
    }
  }
  // An empty answer of the JSON type is told from one of no type by its text.
  return { status, headers, raw, text: text.replace(/\n+$/, '') };
}

/** The names of a tar archive's members, sorted. */
function tarNames(tar: Buffer): string[] {
  const names: string[] = [];
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const field = (from: number, length: number) =>
      tar.toString('latin1', at + from, at + from + length).split('\0')[0]!;
    names.push(field(0, 100));
    const size = Number.parseInt(field(124, 12), 8) || 0;
    at += 512 * (1 + Math.ceil(size / 512));
  }
  return names.sort();
}
