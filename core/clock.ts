/** A pending timer; cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as a dependency. `now` is the wall clock (may jump) and serves timestamps shown to people; every deadline and
 * age is computed from `monotonic`, which never goes back.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds since an arbitrary start, never decreasing. */
  monotonic(): number;
  /** Calls `fn` once after `ms`. A system timer does not keep the process alive unless `keepAlive` is set. */
  after(ms: number, fn: () => void, options?: { keepAlive?: boolean }): Timer;
  /** Resolves after `ms`, or as soon as the signal aborts (it never rejects: compare `signal.aborted`). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Node refuses longer timers and fires them at once (setTimeout's 32-bit limit): a longer time is several of them. */
const MAX_TIMER_MS = 2 ** 31 - 1;

function sleepWith(clock: Pick<Clock, 'after'>, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const onAbort = () => {
      timer.cancel();
      resolve();
    };
    const timer = clock.after(
      ms,
      () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      },
      { keepAlive: true },
    );
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** The machine's clock. */
export class SystemClock implements Clock {
  now(): number {
    return Date.now();
  }
  monotonic(): number {
    return performance.now();
  }
  after(ms: number, fn: () => void, options?: { keepAlive?: boolean }): Timer {
    let handle: NodeJS.Timeout;
    const arm = (restMs: number) => {
      const stepMs = Math.min(Math.max(restMs, 0), MAX_TIMER_MS);
      handle = setTimeout(() => (restMs > stepMs ? arm(restMs - stepMs) : fn()), stepMs);
      if (!options?.keepAlive) handle.unref();
    };
    arm(ms);
    return { cancel: () => clearTimeout(handle) };
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepWith(this, ms, signal);
  }
}

interface FakeTimer {
  at: number;
  order: number;
  fn: () => void;
}

/** A clock that moves only when told to. Timers due at the same instant fire in the order they were set. */
export class FakeClock implements Clock {
  #elapsedMs = 0;
  #wallMs: number;
  #order = 0;
  readonly #timers = new Set<FakeTimer>();

  constructor(startMs = 1_700_000_000_000) {
    this.#wallMs = startMs;
  }

  now(): number {
    return this.#wallMs;
  }
  monotonic(): number {
    return this.#elapsedMs;
  }
  after(ms: number, fn: () => void): Timer {
    const timer = { at: this.#elapsedMs + Math.max(ms, 0), order: this.#order++, fn };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepWith(this, ms, signal);
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves the wall clock alone, as an administrator or NTP would. */
  jumpWall(ms: number): void {
    this.#wallMs += ms;
  }

  /** Moves time on by `ms`, firing due timers in order and letting promise callbacks run between them. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsedMs + ms;
    await drainMicrotasks();
    for (let next = this.#nextDue(end); next; next = this.#nextDue(end)) {
      this.#moveTo(next.at);
      this.#timers.delete(next);
      next.fn();
      await drainMicrotasks();
    }
    this.#moveTo(end);
    await drainMicrotasks();
  }

  /** Moves time on at once, as for a process that was stopped meanwhile: what is due fires late. */
  async stall(ms: number): Promise<void> {
    await drainMicrotasks();
    this.#moveTo(this.#elapsedMs + ms);
    for (let next = this.#nextDue(this.#elapsedMs); next; next = this.#nextDue(this.#elapsedMs)) {
      this.#timers.delete(next);
      next.fn();
      await drainMicrotasks();
    }
  }

  #moveTo(elapsedMs: number): void {
    const delta = elapsedMs - this.#elapsedMs;
    this.#elapsedMs = elapsedMs;
    this.#wallMs += delta;
  }

  #nextDue(end: number): FakeTimer | undefined {
    let best: FakeTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.at > end) continue;
      if (!best || timer.at < best.at || (timer.at === best.at && timer.order < best.order)) best = timer;
    }
    return best;
  }
}

/** Several turns of the event loop, so that chains of promises started by a timer get to run. */
async function drainMicrotasks(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
