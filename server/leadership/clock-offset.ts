import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';

/** Above what NTP leaves by far; certificates count from a minute before they are made. */
const APART_MS = 30_000;
/** Beats that come one after another sooner than this were held up: they tell nothing of the time. */
const STEADY_MS = 200;
/** So many in a row make sure that it is not a beat that was late. */
const BEATS = 3;
const REPEAT_MS = 600_000;

/**
 * How far the wall clock of this server is from the leader's, as the leader's beats tell it. Nothing here relies on wall
 * clocks being equal, but certificates, logs and people do: it is said, and shown as a metric.
 */
export class ClockOffset {
  readonly #deps: { readonly clock: Clock; readonly log: Logger };
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #steady = 0;
  #offsetMs = 0;
  #saidAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: { readonly clock: Clock; readonly log: Logger; readonly metrics: Metrics }) {
    this.#deps = deps;
    const help = 'Seconds that the clock of this server is ahead of that of the leader';
    deps.metrics.observedGauge({ name: 'lictor_clock_offset_seconds', help }, () => this.#offsetMs / 1000);
  }

  /** A beat has come. `theirMs`: the leader's wall clock when it wrote it. */
  heard(theirMs: number, leader: string | undefined): void {
    const { clock } = this.#deps;
    const now = clock.monotonic();
    const steady = now - this.#heardAtMs >= STEADY_MS;
    this.#heardAtMs = now;
    const offsetMs = clock.now() - theirMs;
    this.#steady = steady && Math.abs(offsetMs - this.#offsetMs) < APART_MS / 2 ? this.#steady + 1 : 0;
    this.#offsetMs = offsetMs;
    if (this.#steady >= BEATS) this.#say(offsetMs, now, leader);
  }

  /** This server leads now. */
  leads(): void {
    this.#offsetMs = 0;
    this.#steady = 0;
  }

  #say(offsetMs: number, now: number, leader: string | undefined): void {
    if (Math.abs(offsetMs) < APART_MS || now - this.#saidAtMs < REPEAT_MS) return;
    this.#saidAtMs = now;
    this.#deps.log.warn(
      'the clock of this server is apart from that of the leader; set both (NTP), or new certificates do not count everywhere',
      { aheadSeconds: Math.round(offsetMs / 1000), leader },
    );
  }
}

/** What a beat holds: the epoch of the leader and its wall clock. */
export function encodeBeat(epoch: number, wallMs: number): Buffer {
  return Buffer.from(`${epoch} ${wallMs}`);
}

/** The leader's wall clock in a beat; undefined in those of versions that did not tell it. */
export function wallClockOf(beat: Uint8Array): number | undefined {
  const found = /^\d+ (\d{1,15})$/.exec(Buffer.from(beat).toString());
  return found ? Number(found[1]) : undefined;
}
