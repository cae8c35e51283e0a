import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { CounterMetric, Metrics } from '../../core/metrics.ts';
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

/** Where statuses are kept. `write` is refused with `conflict` when the object is no longer the one given. */
export interface StatusSink {
  write(object: WithStatus, status: object, signal?: AbortSignal): Promise<void>;
}

/** At most two writes a second for each object: status is for people, and they read no faster. */
const MIN_INTERVAL_MS = 500;
/** A conflict means that our copy is old; its update is on the way. */
const CONFLICT_MS = 100;

/** Writes a status when it says something else than before, and records an Event when Ready changes. */
export class StatusWriter {
  readonly #deps: { sink: StatusSink; leadership: Leadership; events: EventRecorder; clock: Clock };
  readonly #writtenAt = new Map<string, number>();
  readonly #writes: CounterMetric;

  constructor(deps: {
    sink: StatusSink;
    leadership: Leadership;
    events: EventRecorder;
    clock: Clock;
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
    const now = this.#deps.clock.monotonic();
    const wait = (this.#writtenAt.get(key) ?? Number.NEGATIVE_INFINITY) + MIN_INTERVAL_MS - now;
    if (wait > 0) return { requeueAfterMs: wait };
    this.#deps.leadership.check();
    this.#noteWrite(key, now);
    try {
      await this.#deps.sink.write(object, status, signal);
    } catch (error) {
      if (error instanceof AppError && error.code === 'notFound') return DONE; // deleted meanwhile
      this.#writtenAt.delete(key);
      if (error instanceof AppError && error.code === 'conflict') return { requeueAfterMs: CONFLICT_MS };
      throw error;
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

  /** Keeps times only as long as they can hold a write back. */
  #noteWrite(key: string, now: number): void {
    this.#writtenAt.delete(key);
    this.#writtenAt.set(key, now);
    for (const [oldest, at] of this.#writtenAt) {
      if (now - at < MIN_INTERVAL_MS) break;
      this.#writtenAt.delete(oldest);
    }
  }
}

/** Without fields that are undefined, which JSON does not have. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
