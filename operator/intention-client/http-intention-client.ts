import { AppError } from '../../core/errors.ts';
import type { ServerHttp } from '../catalog-client/server-http.ts';
import type { IntentionClient, IntentionEntry, ShownEntry } from './intention-client.ts';

const KIND = '/v1/config/service-intentions';
/** Up to this part of a wait is added by the servers (Consul HTTP API, "Blocking queries"). */
const JITTER_PART = 16;
/** All entries of a large cluster: some 300 bytes for each source. */
const MAX_LIST_BYTES = 64 * 2 ** 20;
/** How the servers say that there is no such entry; any other 404 says nothing about it. */
const NO_ENTRY = /Config entry not found/;

/** IntentionClient over the servers' public HTTP API. */
export class HttpIntentionClient implements IntentionClient {
  readonly #http: ServerHttp;

  constructor(deps: { http: ServerHttp }) {
    this.#http = deps.http;
  }

  async list(after: { readonly index: number; readonly waitMs: number }, signal: AbortSignal) {
    const { index, waitMs } = after;
    const { text, headers } = await this.#http.call({
      method: 'GET',
      path: index > 0 ? `${KIND}?index=${index}&wait=${waitMs}ms` : KIND,
      signal,
      heldMs: index > 0 ? waitMs + waitMs / JITTER_PART : 0,
      maxBytes: MAX_LIST_BYTES,
    });
    const next = Number(headers['x-consul-index']);
    if (!Number.isSafeInteger(next) || next < 1)
      throw new AppError('decode', 'the server sent a list without an index');
    const entries: unknown = parse(text);
    if (!Array.isArray(entries)) throw new AppError('decode', 'the server sent no list of service-intentions');
    return { index: next, entries: entries.map(shown) };
  }

  async read(destination: string, signal?: AbortSignal): Promise<ShownEntry | undefined> {
    try {
      const { text } = await this.#http.call({ method: 'GET', path: entryPath(destination), signal });
      return shown(parse(text));
    } catch (error) {
      if (error instanceof AppError && error.code === 'notFound' && NO_ENTRY.test(error.message)) return undefined;
      throw error;
    }
  }

  async put(entry: IntentionEntry, cas: number, signal?: AbortSignal): Promise<boolean> {
    const path = `/v1/config?cas=${cas}`;
    const { text } = await this.#http.call({ method: 'PUT', path, body: JSON.stringify(entry), signal });
    return done(text);
  }

  async delete(destination: string, cas: number, signal?: AbortSignal): Promise<boolean> {
    const path = `${entryPath(destination)}?cas=${cas}`;
    const { text } = await this.#http.call({ method: 'DELETE', path, signal });
    return done(text);
  }
}

function entryPath(destination: string): string {
  return `${KIND}/${encodeURIComponent(destination)}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AppError('decode', 'the server sent an answer about service-intentions that is no JSON');
  }
}

function shown(value: unknown): ShownEntry {
  const entry = value as Partial<ShownEntry> | null;
  if (typeof entry?.Name !== 'string' || !Number.isSafeInteger(entry.ModifyIndex)) {
    throw new AppError('decode', 'the server sent a service-intentions entry without Name and ModifyIndex');
  }
  return entry as ShownEntry;
}

function done(text: string): boolean {
  const answer = parse(text);
  if (typeof answer !== 'boolean') throw new AppError('decode', 'the server did not say whether it wrote the entry');
  return answer;
}
