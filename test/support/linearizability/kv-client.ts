import type { Random } from '../../../core/random.ts';
import type { Answer, Call, History, Seen } from './operations.ts';
import { kindOf, requestOf } from './requests.ts';

/** Longer than a server holds a request for a leader. */
const ANSWER_MS = 12_000;
/** Not to ask a dead server thousands of times. */
const AFTER_FAILURE_MS = 25;

export interface KvClientOptions {
  readonly name: string;
  readonly history: History;
  readonly random: Random;
  /** Base URLs; each request goes to one of them at random. */
  readonly servers: readonly string[];
  /** The keys to use now; `kindOf` says what is done with them. */
  readonly keys: () => readonly string[];
}

/** A client of keys, locks, transactions and the catalog that writes all it does into a history. */
export class KvClient {
  readonly #options: KvClientOptions;
  readonly #indexes = new Map<string, number>();
  #session = '';
  /** What the session may hold. */
  readonly #acquired = new Set<string>();
  #writes = 0;
  /** How often requests came to which outcome, for the report. */
  readonly outcomes = new Map<string, number>();

  constructor(options: KvClientOptions) {
    this.#options = options;
  }

  /** Makes its session, which no check and no time to live can end. */
  async begin(): Promise<void> {
    const { random, servers, name } = this.#options;
    const body = JSON.stringify({ Name: name, LockDelay: '0s', NodeChecks: [] });
    const url = `${pick(random, servers)}/v1/session/create`;
    const response = await fetch(url, { method: 'PUT', body, signal: AbortSignal.timeout(ANSWER_MS) });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`no session: ${response.status} ${text}`);
    this.#session = (JSON.parse(text) as { ID: string }).ID;
    this.#acquired.clear();
  }

  /** One request after the other until `over`. */
  async run(over: () => boolean): Promise<void> {
    const { random, keys, servers } = this.#options;
    while (!over()) {
      if (this.#session === '') await this.begin().catch(() => {});
      const key = pick(random, keys());
      const answered = await this.do(key, this.#callOf(key), pick(random, servers));
      if (!answered) await new Promise((resolve) => setTimeout(resolve, AFTER_FAILURE_MS));
    }
  }

  /** Asks one server, and notes the outcome; whether it was answered. */
  async do(key: string, call: Call, server: string): Promise<boolean> {
    const { history, name, random } = this.#options;
    const keys = call.kind === 'destroy' ? [...this.#acquired] : [key];
    if (call.kind === 'acquire') this.#acquired.add(key);
    const begun = keys.map((one) => history.begin(name, one, call));
    if (call.kind === 'destroy') this.#session = '';
    const outcome = await ask(server, key, call, random.next() < 0.5);
    this.#count(outcome);
    for (const operation of begun) {
      if (outcome.kind === 'done') operation.done(outcome.answer);
      else if (outcome.kind === 'failed') operation.failed();
      else operation.unknown();
    }
    if (outcome.kind === 'done' && call.kind === 'read') {
      this.#indexes.set(key, (outcome.answer as Seen | undefined)?.index ?? 0);
    }
    return outcome.kind === 'done';
  }

  #callOf(key: string): Call {
    const kind = kindOf(key);
    if (kind === 'lock') return this.#session === '' ? { kind: 'read' } : this.#lockCall();
    return this.#kvCall(key, kind !== 'service');
  }

  #kvCall(key: string, conditions: boolean): Call {
    const dice = this.#options.random.next();
    if (dice < 0.45) return { kind: 'read' };
    if (dice >= 0.94) return { kind: 'delete' };
    if (dice < 0.65 || !conditions) return { kind: 'write', value: this.#value() };
    return { kind: 'cas', value: this.#value(), index: this.#indexes.get(key) ?? 0 };
  }

  #lockCall(): Call {
    const dice = this.#options.random.next();
    if (dice < 0.3) return { kind: 'read' };
    if (dice > 0.97) return { kind: 'destroy', session: this.#session };
    const kind = dice < 0.6 ? 'acquire' : dice < 0.8 ? 'guarded' : 'release';
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

export type Outcome =
  | { readonly kind: 'done'; readonly answer: Answer; readonly why?: undefined }
  | { readonly kind: 'failed' | 'unknown'; readonly why: string };

/** One request; what came of it. */
export async function ask(server: string, key: string, call: Call, consistent: boolean): Promise<Outcome> {
  const { method, path, body, answer } = requestOf(key, call, consistent);
  try {
    const response = await fetch(`${server}${path}`, { method, body, signal: AbortSignal.timeout(ANSWER_MS) });
    const text = await response.text();
    const { status, headers } = response;
    const known = [200, 404, 409].includes(status) ? answer(status, text) : undefined;
    if (known) return { kind: 'done', answer: known.is };
    if (status === 500 && text.includes('invalid session')) return { kind: 'failed', why: 'invalid session' };
    const code = headers.get('x-lictor-error') ?? text.slice(0, 80);
    return { kind: code === 'noLeader' ? 'failed' : 'unknown', why: `${status} ${code}` };
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).name;
    return { kind: cause === 'ECONNREFUSED' ? 'failed' : 'unknown', why: cause };
  }
}

/** One of them at random. */
export function pick<T>(random: Random, among: readonly T[]): T {
  return among[Math.floor(random.next() * among.length)]!;
}
