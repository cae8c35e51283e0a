import type { Random } from '../../../core/random.ts';
import { ask, pick } from './kv-client.ts';
import type { Begun, Call, History } from './operations.ts';

export interface LapsingClientOptions {
  readonly name: string;
  readonly history: History;
  readonly random: Random;
  /** Base URLs; each request goes to one of them at random. */
  readonly servers: readonly string[];
  /** The keys to use now, all of them locks. */
  readonly keys: () => readonly string[];
  /** The time to live of its sessions. */
  readonly ttlMs: number;
}

const ANSWER_MS = 12_000;
const PAUSE_MS = 25;
/** Of its time to live. */
const RENEW_EVERY = 0.4;
/** Sessions are renewed for up to so many times their time to live; some not at all. */
const RENEWED_FOR = 4;

/** A session of this client, and when the servers may end it. */
interface Lease {
  readonly id: string;
  /** What it may hold. */
  readonly keys: Set<string>;
  /** Its end at each key, from the moment from which that is possible. */
  readonly ends: Map<string, Begun>;
  /** Whose outcome is unknown. */
  readonly unknown: Begun[];
  readonly renewedUntilMs: number;
  nextRenewalMs: number;
  mayEnd: boolean;
  timer: NodeJS.Timeout;
}

/**
 * A client of locks whose sessions have a time to live: it renews each for a while and then lets it lapse. In the history a
 * session's end is an operation that may take effect from its time to live after the last acknowledged renewal on, and that
 * has done so when a server has said that the session is gone.
 */
export class LapsingClient {
  /** Sessions that were gone before their time. */
  readonly problems: string[] = [];
  /** Sessions whose end has been seen. */
  ended = 0;
  readonly #options: LapsingClientOptions;
  #lease: Lease | undefined;
  #writes = 0;

  constructor(options: LapsingClientOptions) {
    this.#options = options;
  }

  /** One request after the other until `over`. */
  async run(over: () => boolean): Promise<void> {
    const { random, keys } = this.#options;
    while (!over()) {
      if (!this.#lease) await this.#begin().catch(() => {});
      else if (performance.now() > this.#lease.nextRenewalMs) await this.#signOfLife(this.#lease).catch(() => {});
      else await this.#operate(pick(random, keys()), this.#lease);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    if (this.#lease) this.#leave(this.#lease);
  }

  async #begin(): Promise<void> {
    const { name, random, ttlMs } = this.#options;
    const content = { Name: name, LockDelay: '0s', NodeChecks: [], TTL: `${ttlMs}ms` };
    const sentMs = performance.now();
    const { status, text } = await this.#send('PUT', '/v1/session/create', JSON.stringify(content));
    if (status !== 200) return;
    const { ID: id } = JSON.parse(text) as { ID: string };
    const lease: Lease = {
      id,
      keys: new Set(),
      ends: new Map(),
      unknown: [],
      renewedUntilMs: sentMs + random.next() * RENEWED_FOR * ttlMs,
      nextRenewalMs: sentMs + RENEW_EVERY * ttlMs,
      mayEnd: true,
      timer: setTimeout(() => {}, 0),
    };
    this.#lease = lease;
    this.#alive(lease, sentMs);
  }

  /** It lived after this was sent. An answer that took longer than its time to live says nothing of now. */
  #alive(lease: Lease, sentMs: number): void {
    const leftMs = sentMs + this.#options.ttlMs - performance.now();
    if (leftMs <= 0) return;
    clearTimeout(lease.timer);
    for (const end of lease.ends.values()) end.failed();
    lease.ends.clear();
    lease.mayEnd = false;
    lease.timer = setTimeout(() => this.#mayEnd(lease), leftMs);
  }

  #mayEnd(lease: Lease): void {
    lease.mayEnd = true;
    for (const key of lease.keys) this.#mayLose(lease, key);
  }

  #mayLose({ ends, id }: Lease, key: string): void {
    const { history, name } = this.#options;
    if (!ends.has(key)) ends.set(key, history.begin(name, key, { kind: 'destroy', session: id }));
  }

  /** A renewal while it is to live, afterwards a look at whether it still does. */
  async #signOfLife(lease: Lease): Promise<void> {
    const sentMs = performance.now();
    lease.nextRenewalMs = sentMs + RENEW_EVERY * this.#options.ttlMs;
    if (sentMs < lease.renewedUntilMs) {
      const { status } = await this.#send('PUT', `/v1/session/renew/${lease.id}`);
      if (status === 200) this.#alive(lease, sentMs);
      else if (status === 404) this.#gone(lease);
    } else {
      const { status, text } = await this.#send('GET', `/v1/session/info/${lease.id}?consistent`);
      if (status === 200 && (JSON.parse(text) as unknown[]).length === 0) this.#gone(lease);
    }
  }

  /** A server has said so. */
  #gone(lease: Lease): void {
    this.#lease = undefined;
    this.ended++;
    clearTimeout(lease.timer);
    if (!lease.mayEnd) this.problems.push(`session ${lease.id} was gone before its time`);
    for (const end of lease.ends.values()) end.done(true);
    for (const operation of lease.unknown) operation.over();
  }

  /** From now on nobody looks. */
  #leave(lease: Lease): void {
    this.#lease = undefined;
    clearTimeout(lease.timer);
    this.#mayEnd(lease);
    for (const end of lease.ends.values()) end.unknown();
  }

  async #operate(key: string, lease: Lease): Promise<void> {
    const { history, name, random, servers } = this.#options;
    const call = this.#call(lease.id);
    if (call.kind === 'acquire') {
      lease.keys.add(key);
      if (lease.mayEnd) this.#mayLose(lease, key);
    }
    const begun = history.begin(name, key, call);
    const outcome = await ask(pick(random, servers), key, call, random.next() < 0.5);
    if (outcome.kind === 'done') begun.done(outcome.answer);
    else if (outcome.kind === 'failed') begun.failed();
    else {
      begun.unknown();
      lease.unknown.push(begun);
    }
    if (outcome.why === 'invalid session') this.#gone(lease);
  }

  #call(session: string): Call {
    const value = `${this.#options.name}-${this.#writes++}`;
    const dice = this.#options.random.next();
    if (dice < 0.35) return { kind: 'read' };
    return { kind: dice < 0.7 ? 'acquire' : dice < 0.9 ? 'guarded' : 'release', value, session };
  }

  async #send(method: string, path: string, body?: string): Promise<{ status: number; text: string }> {
    const { random, servers } = this.#options;
    const init = { method, signal: AbortSignal.timeout(ANSWER_MS), ...(body === undefined ? {} : { body }) };
    const response = await fetch(`${pick(random, servers)}${path}`, init);
    return { status: response.status, text: await response.text() };
  }
}
