import type { Random } from '../../../core/random.ts';
import type { Answer, Call, History, Seen } from './operations.ts';

/** Longer than a server holds a request for a leader. */
const ANSWER_MS = 12_000;
/** Not to ask a dead server thousands of times. */
const AFTER_FAILURE_MS = 25;
const LOCK = 'lock';

export interface KvClientOptions {
  readonly name: string;
  readonly history: History;
  readonly random: Random;
  /** Base URLs; each request goes to one of them at random. */
  readonly servers: readonly string[];
  /** The keys to use now; those with `lock` in the name are only locked, released and read. */
  readonly keys: () => readonly string[];
}

/** What a key showed last, as a base for check-and-set. */
type Known = ReadonlyMap<string, number>;

/** A client of the KV API and of locks that writes all it does into a history. */
export class KvClient {
  readonly #options: KvClientOptions;
  readonly #indexes = new Map<string, number>();
  #session = '';
  #writes = 0;
  /** How often requests came to which outcome, for the report. */
  readonly outcomes = new Map<string, number>();

  constructor(options: KvClientOptions) {
    this.#options = options;
  }

  /** Makes its session, which no check and no time to live can end. */
  async begin(): Promise<void> {
    const body = JSON.stringify({ Name: this.#options.name, LockDelay: '0s', NodeChecks: [] });
    const url = `${this.#options.servers[0]}/v1/session/create`;
    const response = await fetch(url, { method: 'PUT', body, signal: AbortSignal.timeout(ANSWER_MS) });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`no session: ${response.status} ${text}`);
    this.#session = (JSON.parse(text) as { ID: string }).ID;
  }

  /** One request after the other until `over`. */
  async run(over: () => boolean): Promise<void> {
    const { random, keys, servers } = this.#options;
    while (!over()) {
      const key = pick(random, keys());
      const call = key.includes(LOCK) ? this.#lockCall() : this.#kvCall(key, this.#indexes);
      const answered = await this.do(key, call, pick(random, servers));
      if (!answered) await new Promise((resolve) => setTimeout(resolve, AFTER_FAILURE_MS));
    }
  }

  /** Asks one server, and notes the outcome; whether it was answered. */
  async do(key: string, call: Call, server: string): Promise<boolean> {
    const begun = this.#options.history.begin(this.#options.name, key, call);
    const outcome = await ask(server, key, call, this.#options.random.next() < 0.5);
    this.#count(outcome);
    if (outcome.kind === 'done') {
      begun.done(outcome.answer);
      if (call.kind === 'read') this.#indexes.set(key, (outcome.answer as Seen | undefined)?.index ?? 0);
    } else if (outcome.kind === 'failed') begun.failed();
    else begun.unknown();
    return outcome.kind === 'done';
  }

  #kvCall(key: string, known: Known): Call {
    const dice = this.#options.random.next();
    if (dice < 0.45) return { kind: 'read' };
    if (dice < 0.65) return { kind: 'write', value: this.#value() };
    if (dice < 0.94) return { kind: 'cas', value: this.#value(), index: known.get(key) ?? 0 };
    return { kind: 'delete' };
  }

  #lockCall(): Call {
    const dice = this.#options.random.next();
    if (dice < 0.3) return { kind: 'read' };
    const kind = dice < 0.65 ? 'acquire' : 'release';
    return { kind, value: this.#value(), session: this.#session };
  }

  #value(): string {
    return `${this.#options.name}-${this.#writes++}`;
  }

  #count({ kind, why }: Outcome): void {
    const name = why === undefined ? kind : `${kind}: ${why}`;
    this.outcomes.set(name, (this.outcomes.get(name) ?? 0) + 1);
  }
}

type Outcome =
  | { readonly kind: 'done'; readonly answer: Answer; readonly why?: undefined }
  | { readonly kind: 'failed' | 'unknown'; readonly why: string };

async function ask(server: string, key: string, call: Call, consistent: boolean): Promise<Outcome> {
  const { method, query, body } = requestOf(call, consistent);
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const response = await fetch(`${server}/v1/kv/${key}${query}`, { method, body, signal });
    return outcomeOf(call, response, await response.text());
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).name;
    return { kind: cause === 'ECONNREFUSED' ? 'failed' : 'unknown', why: cause };
  }
}

function outcomeOf(call: Call, response: Response, text: string): Outcome {
  const { status } = response;
  if (call.kind === 'read' && status === 404) return { kind: 'done', answer: undefined };
  if (call.kind === 'read' && status === 200) return { kind: 'done', answer: seenOf(text) };
  if (status === 200 && /^(true|false)\s*$/.test(text)) return { kind: 'done', answer: text.trim() === 'true' };
  const code = response.headers.get('x-lictor-error') ?? text.slice(0, 80);
  return { kind: code === 'noLeader' ? 'failed' : 'unknown', why: `${status} ${code}` };
}

function seenOf(text: string): Seen {
  const [item] = JSON.parse(text) as [{ Value: string; ModifyIndex: number; Session?: string }];
  const value = Buffer.from(item.Value, 'base64').toString();
  return { value, index: item.ModifyIndex, ...(item.Session ? { session: item.Session } : {}) };
}

function requestOf(call: Call, consistent: boolean): { method: string; query: string; body?: string } {
  switch (call.kind) {
    case 'read':
      return { method: 'GET', query: consistent ? '?consistent' : '' };
    case 'delete':
      return { method: 'DELETE', query: '' };
    case 'write':
      return { method: 'PUT', query: '', body: call.value };
    case 'cas':
      return { method: 'PUT', query: `?cas=${call.index}`, body: call.value };
    case 'acquire':
    case 'release':
      return { method: 'PUT', query: `?${call.kind}=${call.session}`, body: call.value };
    case 'destroy':
      throw new Error('a session is not destroyed by way of a key');
  }
}

/** One of them at random. */
export function pick<T>(random: Random, among: readonly T[]): T {
  return among[Math.floor(random.next() * among.length)]!;
}
