import type { Clock, Timer } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { dueIndex, endOfWait, type Reading, type Wait, type Watch } from '../blocking-query.ts';
import { errorResponse } from './respond.ts';
import type { RouteResponse } from './route.ts';

/** A read that has nothing new for its client yet. */
export interface HeldRead {
  /** Whether the URL alone decides what is asked, so that others who ask it may wait and be answered together. */
  readonly shared: boolean;
  /** Whether others may still join; asked for each. */
  mayJoin(): boolean;
  /** Begins the wait of one more client. */
  begin(): Wait;
  run(): HeldReading;
  readonly watch: Watch;
  /** A place for one more beside one who watches, where that is cheaper than to watch again; to be given back once. */
  readonly admit?: (() => () => void) | undefined;
}

/** What the data is now, and the answer that says this index. */
export interface HeldReading extends Pick<Reading<unknown>, 'index' | 'applied'> {
  answer(index: number): RouteResponse;
}

/** Takes the answer of one request; called once, and not at all for one that has left. */
export type Take = (answer: RouteResponse) => void;

export interface HeldReadsDeps {
  readonly clock: Clock;
  /** The answer for what was thrown at a request of a route, which is logged where somebody should know of it. */
  readonly failure: (error: unknown, route: string) => RouteResponse;
}

interface Holder {
  readonly take: Take;
  readonly wait: Wait;
}

/** How long requests are answered in one go before other work gets its turn. */
const SLICE_MS = 5;
/** After one wait has ended the next ones are ended together, late by at most this part of a wait: less than its jitter. */
const LATE_PART = 256;

/**
 * Requests that wait for a change of what they read. Those with the same URL are one group: they are watched for, looked
 * at and answered together, so that a change costs each of them little more than the bytes that it is sent.
 */
export class HeldReads {
  readonly #deps: HeldReadsDeps;
  /** Which can be joined, by URL. */
  readonly #open = new Map<string, HeldGroup>();
  readonly #all = new Set<HeldGroup>();

  constructor(deps: HeldReadsDeps) {
    this.#deps = deps;
  }

  /** The group that waits for what this URL reads, while it can be joined. */
  find(url: string): HeldGroup | undefined {
    return this.#open.size === 0 ? undefined : this.#open.get(url);
  }

  /**
   * Holds a request, which others with the same URL can join when one is given. Gives what takes it back when its client has
   * gone; that gives whether it waited.
   * @throws AppError `rateLimited`, what `run` throws.
   */
  hold(url: string | undefined, route: string, read: HeldRead, take: Take): () => boolean {
    const group = new HeldGroup(this.#deps, route, read, {
      closed: () => {
        if (url !== undefined && this.#open.get(url) === group) this.#open.delete(url);
      },
      empty: () => this.#all.delete(group),
    });
    const leave = group.add(take);
    this.#all.add(group);
    if (url !== undefined) this.#open.set(url, group);
    return leave;
  }

  /** Lets nobody join those who wait, when what their URLs ask for may have changed. */
  closeAll(): void {
    this.#open.clear();
  }

  /** Ends all waits. */
  stop(): void {
    const answer = errorResponse(new AppError('shuttingDown', 'the server is stopping'));
    for (const group of [...this.#all]) group.end(answer);
  }
}

/** Requests that wait for the same. */
export class HeldGroup {
  /** The path of their route. */
  readonly route: string;
  readonly #deps: HeldReadsDeps;
  readonly #read: HeldRead;
  readonly #on: { readonly closed: () => void; readonly empty: () => void };
  readonly #holders = new Set<Holder>();
  /** What gives back the place of each of them; the first one of them watches. */
  readonly #places: (() => void)[] = [];
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #willLook = false;

  constructor(deps: HeldReadsDeps, route: string, read: HeldRead, on: { closed: () => void; empty: () => void }) {
    this.#deps = deps;
    this.route = route;
    this.#read = read;
    this.#on = on;
  }

  /** Whether one more may wait here: there is nothing to answer it with yet. */
  mayJoin(): boolean {
    return !this.#willLook && this.#read.mayJoin();
  }

  /** Like `HeldReads.hold`. */
  add(take: Take): () => boolean {
    const wait = this.#read.begin();
    // Read after subscribing: a change in between is never lost.
    const { watch, admit } = this.#read;
    this.#places.push(admit && this.#places.length > 0 ? admit() : watch(this.#wake));
    const holder = { take, wait };
    this.#holders.add(holder);
    try {
      const reading = this.#read.run();
      if (dueIndex(wait, reading, wait.startMs) !== undefined) this.#wake();
      else this.#lookAt(endOfWait(wait, reading), wait.startMs);
    } catch (error) {
      this.#remove(holder);
      throw error;
    }
    return () => this.#remove(holder);
  }

  /** Answers all of them with this. */
  end(answer: RouteResponse): void {
    for (const holder of this.#holders) {
      this.#remove(holder);
      holder.take(answer);
    }
  }

  readonly #wake = (): void => {
    if (this.#willLook) return;
    this.#willLook = true;
    // What has changed in one go is shown first, and whoever has changed it is answered.
    setImmediate(() => this.#look());
  };

  /** Answers those whose time has come, or all when there is something new; the rest waits on. */
  #look(): void {
    this.#willLook = false;
    if (this.#holders.size === 0) return;
    const startMs = this.#deps.clock.monotonic();
    let reading: HeldReading;
    try {
      reading = this.#read.run();
    } catch (error) {
      this.#on.closed();
      this.end(this.#deps.failure(error, this.route));
      return;
    }
    let nextMs = Number.POSITIVE_INFINITY;
    let answer: { readonly index: number; readonly response: RouteResponse } | undefined;
    let answered = 0;
    for (const holder of this.#holders) {
      const index = dueIndex(holder.wait, reading, startMs);
      if (index === undefined) {
        nextMs = Math.min(nextMs, endOfWait(holder.wait, reading));
        continue;
      }
      if (answer?.index !== index) answer = { index, response: this.#responseOf(reading, index) };
      this.#remove(holder);
      holder.take(answer.response);
      if (++answered % 16 === 0 && this.#deps.clock.monotonic() - startMs > SLICE_MS) {
        this.#wake();
        return;
      }
    }
    const [next] = this.#holders;
    if (!next) return;
    const lateMs = answered > 0 ? (next.wait.deadlineMs - next.wait.startMs) / LATE_PART : 0;
    this.#lookAt(Math.max(nextMs, startMs + lateMs), startMs);
  }

  #lookAt(atMs: number, nowMs: number): void {
    if (this.#timer && this.#timerAtMs <= atMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    const look = () => {
      this.#timer = undefined;
      this.#look();
    };
    this.#timer = this.#deps.clock.after(Math.ceil(atMs - nowMs), look, { keepAlive: true });
  }

  #responseOf(reading: HeldReading, index: number): RouteResponse {
    try {
      return reading.answer(index);
    } catch (error) {
      return this.#deps.failure(error, this.route);
    }
  }

  /** Whether it was there. */
  #remove(holder: Holder): boolean {
    if (!this.#holders.delete(holder)) return false;
    this.#places.pop()!();
    if (this.#holders.size > 0) return true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#on.closed();
    this.#on.empty();
    return true;
  }
}
