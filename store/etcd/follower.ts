import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import { nextTurn } from '../../core/next-turn.ts';
import type { Random } from '../../core/random.ts';
import { Trouble } from '../../core/trouble.ts';
import type { EtcdClient, WatchStream } from './etcd-client.ts';
import type { Loader } from './loader.ts';
import type { WatchResponse } from './messages.ts';
import type { Replica } from './replica.ts';

/** Why a watch had to be opened again. */
export type WatchEnd = 'lost' | 'silent' | 'starved' | 'compacted' | 'gap' | 'moved';

export interface FollowerDeps {
  readonly client: Pick<EtcdClient, 'watch' | 'moveOn'>;
  readonly loader: Pick<Loader, 'head' | 'content'>;
  readonly replica: Replica;
  readonly clock: Clock;
  readonly random: Pick<Random, 'next'>;
  readonly log: Logger;
  readonly onEnd?: (reason: WatchEnd) => void;
}

const MIN_PAUSE_MS = 50;
const MAX_PAUSE_MS = 2000;
/** How often it is looked whether the stream lives; the leader's beats alone come more often (server/leadership). */
const LOOK_MS = 500;
const LATE_LOOK_MS = 2 * LOOK_MS;
/** A stream may take so long to bring what there is before it is judged by that. */
const FIRST_EVENTS_MS = 1000;
/** Looks in a row that find nothing: at the first one the member is asked for a sign of life, after the last given up. */
const SILENT_LOOKS = 3;

/**
 * Keeps the replica on etcd's heels by one watch. A stream that ends, falls silent or brings less than etcd has is opened
 * again, at another member and after the last revision that was complete; where that is compacted, or something does not
 * fit, everything is loaded anew.
 */
export class Follower {
  readonly #deps: FollowerDeps;
  readonly #probeMs: number;
  /** Etcd's revision that the next stream begins with. */
  #from: number;
  #pauseMs = MIN_PAUSE_MS;
  #end: (reason: WatchEnd) => void = () => {};
  /** The oldest revision that etcd can still tell of, as far as it has said so. */
  #oldest = 0;
  /** Streams one after another that brought less than there was. */
  #starved = 0;
  /** When a quorum was last asked for the newest head. Streams come and go meanwhile. */
  #askedAt: number;
  #asking: Promise<void> | undefined;
  /** When the stream was looked at last, and when that came late last: this process was held up itself. */
  #lookedAt: number;
  #lateAt = -Infinity;
  /** What it has answered, as `#newestHead` says it; the present stream must bring it until the next question. */
  #expected = 0;
  readonly #trouble: Trouble;
  #hindrance: string | undefined;

  /** `from`: etcd's revision after the one that the replica was loaded at. */
  constructor(deps: FollowerDeps, options: { from: number; probeMs: number }) {
    this.#deps = deps;
    this.#probeMs = options.probeMs;
    this.#from = options.from;
    this.#askedAt = deps.clock.monotonic();
    this.#lookedAt = this.#askedAt;
    this.#trouble = new Trouble(deps);
  }

  /** Why etcd cannot be followed now, where somebody has to do something about it. */
  get hindrance(): string | undefined {
    return this.#hindrance;
  }

  /** Until the signal aborts or the replica has failed for good. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, replica, log } = this.#deps;
    while (!signal.aborted && !replica.over) {
      const reason = await this.#stream(signal);
      replica.interrupted();
      if (reason === undefined) return;
      this.#deps.onEnd?.(reason);
      log.debug('the watch on etcd is opened again', { reason, from: this.#from });
      if (reason === 'starved') this.#passOver();
      const mustLoad = reason === 'gap' || (reason === 'starved' && this.#starved > 1);
      if (mustLoad || reason === 'compacted') await this.#recover(mustLoad, signal);
      if (replica.over) return;
      // Enough time has passed.
      if (reason === 'silent') continue;
      // After half to all of the pause, so that servers do not come back in step.
      await clock.sleep(this.#pauseMs * (0.5 + random.next() / 2), signal);
      this.#pauseMs = Math.min(this.#pauseMs * 2, MAX_PAUSE_MS);
    }
  }

  /**
   * Opens the watch at another member, because it lacks something that etcd has; or loads everything, because that is so
   * again or it does not fit. Nothing while that is being done.
   */
  restart(reason: 'starved' | 'gap'): void {
    this.#end(reason);
  }

  /** The member has less than a quorum. Counted once a stream, whoever has found it out. */
  #passOver(): void {
    const now = this.#deps.clock.monotonic();
    const heldUp = now - this.#lookedAt > LATE_LOOK_MS || now - this.#lateAt < FIRST_EVENTS_MS;
    // One that could not look at what came does not know what the member lacks.
    if (!heldUp) this.#starved++;
    this.#expect(0);
    this.#deps.client.moveOn();
  }

  /** Begins a new period of the regular question. */
  #expect(newest: number): void {
    this.#askedAt = this.#deps.clock.monotonic();
    this.#expected = newest;
  }

  /** One stream from its opening to its end; undefined when the signal has aborted. */
  async #stream(signal: AbortSignal): Promise<WatchEnd | undefined> {
    const { client, replica, log } = this.#deps;
    const over = new AbortController();
    const { generation, layout, headRevision } = replica.content;
    // Own commits are known without a watch.
    this.#from = Math.max(this.#from, headRevision + 1);
    let heard = false;
    const reason = await new Promise<WatchEnd | undefined>((resolve) => {
      this.#end = resolve;
      if (signal.aborted) return resolve(undefined);
      signal.addEventListener('abort', () => resolve(undefined), { once: true, signal: over.signal });
      const stream = client.watch(
        { ...layout.all, startRevision: this.#from },
        {
          response: (response) => {
            heard = true;
            const end = this.#receive(response, generation);
            if (end) resolve(end);
          },
          lost: (error) => {
            this.#trouble.say('the watch on etcd was lost', error);
            this.#hindrance = error.needsHelp ? error.message : undefined;
            resolve('lost');
          },
        },
      );
      over.signal.addEventListener('abort', () => stream.cancel(), { once: true });
      const asked = (): boolean => {
        const answered = heard;
        heard = false;
        return answered;
      };
      this.#probe(stream, asked, over.signal).then(
        (end) => end && resolve(end),
        (error) => log.error('the watch on etcd cannot be checked', { err: error }),
      );
    });
    over.abort();
    return reason;
  }

  #receive(response: WatchResponse, generation: string): WatchEnd | undefined {
    const { replica, log } = this.#deps;
    // An own restore has put another one in its place.
    if (replica.content.generation !== generation) return 'moved';
    if (response.compactRevision > 0) {
      this.#oldest = response.compactRevision;
      return 'compacted';
    }
    if (response.canceled) {
      log.warn('etcd ended the watch', { reason: response.cancelReason });
      return 'lost';
    }
    this.#pauseMs = MIN_PAUSE_MS;
    this.#trouble.over('the store is followed in etcd again');
    this.#hindrance = undefined;
    try {
      replica.receive(response.events);
      return undefined;
    } catch (error) {
      if (error instanceof AppError && error.code === 'storeCorrupt') replica.fail(error);
      log.warn('the watch on etcd does not continue what is known: loading anew', { reason: errorText(error) });
      return 'gap';
    }
  }

  /**
   * Looks whether the stream lives, and asks a quorum regularly for the newest head: a watch that is alive but lacks it
   * twice is starved (etcd #17529).
   */
  async #probe(stream: WatchStream, answered: () => boolean, over: AbortSignal): Promise<WatchEnd | undefined> {
    const { clock, replica } = this.#deps;
    const { generation } = replica.content;
    const opened = clock.monotonic();
    let silent = 0;
    for (;;) {
      const begun = clock.monotonic();
      this.#lookedAt = begun;
      await clock.sleep(LOOK_MS, over);
      // What came while this process was busy.
      await nextTurn();
      if (over.aborted) return undefined;
      const now = clock.monotonic();
      // Whether the other side was silent cannot be told when this process was stopped itself.
      const late = now - begun > LATE_LOOK_MS;
      if (late) this.#lateAt = now;
      silent = answered() || late ? 0 : silent + 1;
      if (silent === 1) stream.probe();
      if (silent === SILENT_LOOKS) {
        stream.giveUp();
        return 'silent';
      }
      // An own restore has put another one in its place.
      if (replica.content.generation !== generation) return 'moved';
      if (this.#expected < 0) return 'gap';
      if (this.#asking || now - this.#askedAt < this.#probeMs) continue;
      if (replica.content.headRevision < this.#expected) {
        if (now - opened < FIRST_EVENTS_MS) continue;
        return 'starved';
      }
      if (this.#expected > 0) this.#starved = 0;
      this.#ask();
    }
  }

  #ask(): void {
    const { replica } = this.#deps;
    const { loads, content } = replica;
    this.#expect(0);
    this.#asking = this.#newestHead(content.headRevision).then((newest) => {
      this.#asking = undefined;
      // What was loaded since may be of another generation, or of an etcd that went back.
      if (replica.loads === loads) this.#expected = newest;
    });
  }

  /** 0 when no quorum answers: then the stream's own end tells. -1 when it knows less than it has told. */
  async #newestHead(known: number): Promise<number> {
    const { loader, replica } = this.#deps;
    try {
      const { kv, at } = await loader.head(replica.content.generation);
      // Without a head the generation is gone, of which the watch must tell.
      const newest = kv ? kv.modRevision : at;
      // Loading says what has become of the store.
      return newest < known ? -1 : newest;
    } catch {
      return 0;
    }
  }

  /** Finds where to go on from; tries until it succeeds, the signal aborts or the replica has failed for good. */
  async #recover(mustLoad: boolean, signal: AbortSignal): Promise<void> {
    const { loader, replica, clock } = this.#deps;
    let load = mustLoad;
    while (!signal.aborted && !replica.over) {
      try {
        if (!load) {
          // Own commits have gone past it since the stream was asked for.
          if (replica.content.headRevision + 1 >= this.#oldest) return;
          const { kv, at } = await loader.head(replica.content.generation);
          // Etcd has forgotten changes, but none of this store.
          if (kv?.modRevision === replica.content.headRevision) {
            this.#from = at + 1;
            return;
          }
          load = true;
        }
        const before = replica.content;
        const { content, at } = await loader.content();
        if (signal.aborted) return;
        replica.adopt(content, before);
        if (replica.failure) throw replica.failure;
        this.#starved = 0;
        this.#expect(0);
        this.#oldest = 0;
        this.#from = at + 1;
        return;
      } catch (error) {
        const code = error instanceof AppError ? error.code : undefined;
        if (code === 'storeCorrupt' || code === 'storeVersion') replica.fail(error as AppError);
        if (code === 'storeMismatch') replica.suspend(error as AppError);
        this.#trouble.say('the store cannot be loaded from etcd', error, code === 'storeMismatch' ? 'error' : 'warn');
        await clock.sleep(MAX_PAUSE_MS, signal);
      }
    }
  }
}
