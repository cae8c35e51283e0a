import { isDeepStrictEqual } from 'node:util';
import { type BackoffOptions, backoffMs } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { CounterMetric, Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import type { Condition } from '../../crds/types/index.ts';
import { DONE, type Result } from '../controllers/controller.ts';
import type { EventRecorder } from '../events/event-recorder.ts';
import type { KubeObject } from '../kube-api/kube-api.ts';
import type { Leadership } from '../manager/leadership.ts';
import { keyOf } from '../object-source.ts';
import { readyOf } from './conditions.ts';

/** An object with conditions in its status. */
export interface WithStatus extends KubeObject {
  status?: { conditions?: Condition[] };
}

/**
 * Where statuses are kept. `write` is refused with `conflict` when the object is no longer the one given, and with `notFound`
 * only when it is known to be gone.
 */
export interface StatusSink {
  write(object: WithStatus, status: object, signal?: AbortSignal): Promise<void>;
}

/** At most two writes a second for each object: status is for people, and they read no faster. */
const MIN_INTERVAL_MS = 500;
/** A conflict means that our copy is old; its update is on the way. One after another means that somebody else keeps writing. */
const CONFLICT: BackoffOptions = { baseMs: 100, maxMs: 30_000, jitter: 0.5 };
/** A conflict that long ago says nothing about the next write. */
const FORGET_MS = 60_000;

/** What holds the next write of an object back. */
interface Hold {
  readonly until: number;
  /** In a row, up to now. */
  readonly conflicts: number;
}

/** Writes a status when it says something else than before, and records an Event when Ready changes. */
export class StatusWriter {
  readonly #deps: {
    sink: StatusSink;
    leadership: Leadership;
    events: EventRecorder;
    clock: Clock;
    random: Pick<Random, 'next'>;
  };
  readonly #holds = new Map<string, Hold>();
  readonly #writes: CounterMetric;

  constructor(deps: {
    sink: StatusSink;
    leadership: Leadership;
    events: EventRecorder;
    clock: Clock;
    random: Pick<Random, 'next'>;
    metrics: Metrics;
  }) {
    this.#deps = deps;
    this.#writes = deps.metrics.counter({
      name: 'lictor_operator_status_writes_total',
      help: 'Statuses written to the API server.',
    });
  }

  /** Brings the object's status to `status`; the result says when to look again, if need be. */
  async write(object: WithStatus, status: { conditions: Condition[] }, signal?: AbortSignal): Promise<Result> {
    if (isDeepStrictEqual(plain(object.status), plain(status))) return DONE;
    // A Service and its HealthCheck often have one name; each has an interval of its own.
    const key = `${object.kind}/${keyOf(object)}`;
    const { until, conflicts } = this.#holds.get(key) ?? { until: 0, conflicts: 0 };
    const now = this.#deps.clock.monotonic();
    if (until > now) return { requeueAfterMs: until - now };
    this.#deps.leadership.check();
    this.#hold(key, MIN_INTERVAL_MS, 0);
    try {
      await this.#deps.sink.write(object, status, signal);
    } catch (error) {
      if (error instanceof AppError && error.code === 'notFound') return DONE; // deleted meanwhile
      this.#holds.delete(key);
      if (!(error instanceof AppError && error.code === 'conflict')) throw error;
      const requeueAfterMs = backoffMs(conflicts, CONFLICT, this.#deps.random);
      this.#hold(key, requeueAfterMs, conflicts + 1);
      return { requeueAfterMs };
    }
    this.#writes.add();
    this.#recordTransition(object, status);
    return DONE;
  }

  #recordTransition(object: WithStatus, status: { conditions: Condition[] }): void {
    const before = readyOf(object.status);
    const after = readyOf(status);
    if (!after || before?.status === after.status) return;
    // A new object that is well at once is no news.
    if (!before && after.status === 'True') return;
    const type = after.status === 'True' ? 'Normal' : 'Warning';
    this.#deps.events.record(object, type, after.reason, after.message);
  }

  /** Holds are kept only as long as they can say something. */
  #hold(key: string, ms: number, conflicts: number): void {
    const now = this.#deps.clock.monotonic();
    this.#holds.delete(key);
    this.#holds.set(key, { until: now + ms, conflicts });
    for (const [oldest, hold] of this.#holds) {
      if (now - hold.until < (hold.conflicts > 0 ? FORGET_MS : 0)) break;
      this.#holds.delete(oldest);
    }
  }
}

/** Without fields that are undefined, which JSON does not have. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
