import type { Clock } from '../core/clock.ts';
import { AppError, errorText } from '../core/errors.ts';
import type { ApiRequest, HttpApi, Query } from './http-api.ts';
import { type KvPair, kvPath, parsePairs, readPairs } from './kv-pairs.ts';
import { conflict, type Holders, holdersOf, SEMAPHORE_FLAGS } from './lock-places.ts';
import { laterThan, raced } from './raced.ts';

export interface LockOptions {
  readonly prefix: string;
  /** How many may hold it at a time. */
  readonly limit: number;
  /** Failed requests in a row that are borne while it is held. */
  readonly retries: number;
  /** How long to try; 0 = for ever. */
  readonly timeoutMs: number;
  /** Of the session. */
  readonly name: string;
}

/** Mark of Consul's Go client, so that its locks and ours never take each other's keys for something else. */
const LOCK_FLAGS = '3304740253564472344';
/** Servers end a session that was not renewed after one to two times this. */
const SESSION_TTL_MS = 15_000;
/** That servers give a session which does not ask for another. */
const LOCK_DELAY_S = 15;
const RENEW_MS = 5_000;
const RENEW_RETRY_MS = 1_000;
const WAIT_MS = 15_000;
const RETRY_MS = 2_000;
/** What the end may take of servers that do not answer: for letting go, and at least that for ending the session. */
const END_MS = 4_000;
const SESSION_END_MS = 1_000;

type LockClock = Pick<Clock, 'sleep' | 'after' | 'monotonic'>;

/** A lock, or a place of a semaphore, as Consul's Go client keeps them: compatible with it, contenders of both mix. */
export class HeldLock {
  readonly #api: HttpApi;
  readonly #say: (text: string) => void;
  readonly #clock: LockClock;
  readonly #options: LockOptions;
  readonly #lost = new AbortController();
  readonly #done = new AbortController();
  #session = '';
  #held = false;
  /** When the last renewal that succeeded was sent: from then on the session lives for its TTL at least. */
  #renewedAt = 0;
  /** When what is asked for at the end is given up. */
  #endsBy = 0;
  #work: Promise<void>[] = [];

  constructor(deps: { api: HttpApi; say: (text: string) => void; clock: LockClock }, options: LockOptions) {
    this.#api = deps.api;
    this.#say = deps.say;
    this.#clock = deps.clock;
    this.#options = options;
  }

  /** Aborts when the lock is no longer held. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Whether it is held now; false: the time was over, the signal said so, or the session could not be kept. */
  async acquire(signal: AbortSignal): Promise<boolean> {
    const { timeoutMs } = this.#options;
    const over = new AbortController();
    const timer = timeoutMs > 0 ? this.#clock.after(timeoutMs, () => over.abort(), { keepAlive: true }) : undefined;
    const ends = AbortSignal.any([signal, over.signal, this.lost]);
    const acquired = new AbortController();
    // What is on its way then gets so long to be answered.
    const late = laterThan(ends, { clock: this.#clock, ms: END_MS, unless: acquired.signal });
    try {
      return (await raced(this.#acquire(ends), late)) ?? false;
    } finally {
      acquired.abort();
      timer?.cancel();
    }
  }

  async #acquire(ends: AbortSignal): Promise<boolean> {
    const { limit } = this.#options;
    await this.#createSession();
    if (limit > 1) await this.#contend();
    for (let index = '0'; !ends.aborted; ) {
      const pairs = await this.#read(index, ends);
      if (!pairs) break;
      index = pairs.index;
      const taken = limit > 1 ? await this.#takePlace(pairs.value) : await this.#takeLock(pairs.value);
      if (taken === 'delayed') {
        await this.#pause(RETRY_MS, ends);
        // The end of a delay changes no key: a read that waits for a change would sleep through it.
        index = '0';
      } else if (taken) {
        this.#held = true;
        this.#work.push(this.#monitor());
        return !this.lost.aborted;
      }
    }
    return false;
  }

  /**
   * Lets go and ends the session; gives whether it was held. To be called once, whether it was acquired or not.
   * @throws AppError what the servers answer; `deadline` when they do not within seconds, with what remains.
   */
  async release(): Promise<boolean> {
    this.#done.abort();
    this.#endsBy = this.#clock.monotonic() + END_MS;
    await Promise.all(this.#work);
    if (this.#session === '') return false;
    const isHeld = this.#held && !this.lost.aborted;
    try {
      if (isHeld) await this.#letGo();
      this.#held = false;
    } finally {
      await this.#endSession();
    }
    return isHeld;
  }

  async #endSession(): Promise<void> {
    const timeoutMs = Math.max(SESSION_END_MS, this.#endsBy - this.#clock.monotonic());
    try {
      await this.#api.put(`/v1/session/destroy/${this.#session}`, { timeoutMs });
    } catch (cause) {
      const code = cause instanceof AppError ? cause.code : 'unavailable';
      throw new AppError(code, `${errorText(cause)}; ${this.#remains}`, { cause });
    }
  }

  get #remains(): string {
    const withinS = (SESSION_TTL_MS / 1000) * 2;
    const freed = this.#held ? `, which frees the lock; its lock delay of ${LOCK_DELAY_S} s follows` : '';
    return `the session ${this.#session} ends by its TTL within ${withinS} s${freed}`;
  }

  /** What a request may take at the end. @throws AppError `deadline` when nothing is left. */
  #rest(): { timeoutMs: number } {
    const timeoutMs = this.#endsBy - this.#clock.monotonic();
    if (timeoutMs > 0) return { timeoutMs };
    throw new AppError('deadline', `it took longer than ${END_MS / 1000} s`);
  }

  /** Removes the key of the lock, for other kinds of lock or other numbers of places, unless somebody uses it. */
  async cleanUp(): Promise<'removed' | 'inUse'> {
    this.#endsBy = this.#clock.monotonic() + END_MS;
    const { path, query } = this.#keys;
    const pairs = await readPairs(this.#api, path, query, this.#rest());
    const lock = pairs.find(({ Key }) => Key === this.#lockKey);
    if (!lock) return 'removed';
    if (this.#isInUse(lock, pairs)) return 'inUse';
    const isRemoved = await this.#api.delete<boolean>(kvPath(this.#lockKey), {
      query: { cas: String(lock.ModifyIndex) },
      ...this.#rest(),
    });
    return isRemoved ? 'removed' : 'inUse';
  }

  #isInUse(lock: KvPair, pairs: readonly KvPair[]): boolean {
    if (this.#options.limit === 1) return Boolean(lock.Session) || lock.Flags !== LOCK_FLAGS;
    return Object.keys(this.#holders(pairs).holders.Holders).length > 0;
  }

  /** What is read to know who holds it. */
  get #keys(): { path: string; query: Query } {
    const { limit, prefix } = this.#options;
    return limit === 1 ? { path: this.#lockKey, query: {} } : { path: `${prefix}/`, query: { recurse: '' } };
  }

  get #lockKey(): string {
    return `${this.#options.prefix}/.lock`;
  }

  get #contenderKey(): string {
    return `${this.#options.prefix}/${this.#session}`;
  }

  async #createSession(): Promise<void> {
    const json = {
      Name: this.#options.name,
      TTL: `${SESSION_TTL_MS / 1000}s`,
      // What contends for a place must not stay behind.
      Behavior: this.#options.limit > 1 ? 'delete' : 'release',
    };
    this.#renewedAt = this.#clock.monotonic();
    this.#session = (await this.#api.put<{ ID: string }>('/v1/session/create', { json })).ID;
    this.#work.push(this.#renew());
  }

  /** The lock is lost a TTL after the last renewal, whatever failed since: what holds it must end before others get it. */
  async #renew(): Promise<void> {
    for (let pauseMs = RENEW_MS; await this.#pause(Math.min(pauseMs, this.#leftMs)); ) {
      const sentAt = this.#clock.monotonic();
      const timeoutMs = Math.min(RENEW_MS, this.#leftMs);
      if (timeoutMs <= 0) break;
      try {
        const path = `/v1/session/renew/${this.#session}`;
        const answer = await raced(this.#api.send('PUT', path, { accept: [404], timeoutMs }), this.#done.signal);
        if (!answer || answer.status === 404) break;
        this.#renewedAt = sentAt;
        pauseMs = RENEW_MS;
      } catch {
        // As long as the session lives for certain, it may still be renewed.
        pauseMs = RENEW_RETRY_MS;
      }
    }
    if (!this.#done.signal.aborted) this.#lost.abort();
  }

  /** For how long the session lives for certain. */
  get #leftMs(): number {
    return this.#renewedAt + SESSION_TTL_MS - this.#clock.monotonic();
  }

  /** The keys of the lock as they are, or when they have changed. Undefined when the time is over. */
  async #read(index: string, ends: AbortSignal): Promise<{ index: string; value: KvPair[] } | undefined> {
    const { path, query } = this.#keys;
    const waiting = index === '0' ? {} : { index, wait: `${WAIT_MS}ms` };
    return raced(this.#waited(path, { ...query, ...waiting }, index), ends);
  }

  async #waited(path: string, query: Query, index: string) {
    const answer = await this.#api.send('GET', kvPath(path), { query, accept: [404], timeoutMs: WAIT_MS * 2 });
    const next = answer.index ?? '0';
    return {
      index: Number(next) < Number(index) ? '0' : next,
      value: answer.status === 404 ? [] : parsePairs(answer.text()),
    };
  }

  async #takeLock([pair]: readonly KvPair[]): Promise<boolean | 'delayed'> {
    if (pair && pair.Flags !== LOCK_FLAGS) throw conflict(this.#lockKey, 'a lock');
    if (pair?.Session === this.#session) return true;
    if (pair?.Session) return false;
    const query = { acquire: this.#session, flags: LOCK_FLAGS };
    if (await this.#api.put<boolean>(kvPath(this.#lockKey), { query })) return true;
    // Free, and yet refused: the lock delay of who held it before.
    const [now] = await readPairs(this.#api, this.#lockKey);
    return now?.Session ? false : 'delayed';
  }

  async #contend(): Promise<void> {
    const query = { acquire: this.#session, flags: SEMAPHORE_FLAGS };
    if (!(await this.#api.put<boolean>(kvPath(this.#contenderKey), { query }))) {
      throw new AppError('conflict', `cannot contend at ${this.#contenderKey}`);
    }
  }

  async #takePlace(pairs: readonly KvPair[]): Promise<boolean> {
    const { limit } = this.#options;
    const { holders, lock } = this.#holders(pairs);
    if (holders.Limit !== limit) {
      throw new AppError('conflict', `${this.#lockKey} has ${holders.Limit} places: -n must say so too`);
    }
    if (holders.Holders[this.#session]) return true;
    if (Object.keys(holders.Holders).length >= limit) return false;
    holders.Holders[this.#session] = true;
    return this.#writeHolders(holders, lock);
  }

  #holders(pairs: readonly KvPair[]): { holders: Holders; lock: KvPair | undefined } {
    return holdersOf(pairs, { lockKey: this.#lockKey, limit: this.#options.limit });
  }

  #writeHolders(
    holders: Holders,
    lock: KvPair | undefined,
    limit: Pick<ApiRequest, 'timeoutMs'> = {},
  ): Promise<boolean> {
    const query = { cas: String(lock?.ModifyIndex ?? 0), flags: SEMAPHORE_FLAGS };
    return this.#api.put<boolean>(kvPath(this.#lockKey), { query, body: JSON.stringify(holders), ...limit });
  }

  async #letGo(): Promise<void> {
    if (this.#options.limit === 1) {
      const query = { release: this.#session, flags: LOCK_FLAGS };
      await this.#api.put(kvPath(this.#lockKey), { query, ...this.#rest() });
      return;
    }
    for (;;) {
      const { path, query } = this.#keys;
      const { holders, lock } = this.#holders(await readPairs(this.#api, path, query, this.#rest()));
      delete holders.Holders[this.#session];
      if (await this.#writeHolders(holders, lock, this.#rest())) break;
    }
    await this.#api.delete(kvPath(this.#contenderKey), this.#rest());
  }

  /** Watches the keys for as long as it is held. */
  async #monitor(): Promise<void> {
    for (let index = '0', failures = 0; !this.#done.signal.aborted; ) {
      try {
        const pairs = await this.#read(index, this.#done.signal);
        if (!pairs) return;
        ({ index } = pairs);
        failures = 0;
        if (!this.#isHeld(pairs.value)) {
          this.#lost.abort();
          return;
        }
      } catch {
        if (++failures > this.#options.retries) {
          this.#lost.abort();
          return;
        }
        this.#say('The lock could not be watched, trying again');
        await this.#pause(RETRY_MS);
      }
    }
  }

  /** Whether the time has passed; false: the signal said so, or it was let go of meanwhile. */
  async #pause(ms: number, ends: AbortSignal = this.#done.signal): Promise<boolean> {
    await this.#clock.sleep(ms, ends);
    return !ends.aborted;
  }

  #isHeld(pairs: readonly KvPair[]): boolean {
    if (this.#options.limit === 1) return pairs[0]?.Session === this.#session;
    return this.#holders(pairs).holders.Holders[this.#session] === true;
  }
}
