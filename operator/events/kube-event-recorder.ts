import { hash } from 'node:crypto';
import { BoundedQueue } from '../../core/bounded-queue.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { RunContext, Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { CounterMetric, Metrics } from '../../core/metrics.ts';
import type { EventWriter, KubeEvent, KubeObject } from '../kube-api/kube-api.ts';
import type { EventRecorder } from './event-recorder.ts';

const COMPONENT = 'lictor-operator';
/** Events waiting to be written; more are dropped and counted, as an Event is a courtesy. */
const MAX_WAITING = 5_000;
/** Events remembered so that a repetition raises a count instead of making another object. */
const MAX_REMEMBERED = 2_000;
const REMEMBERED_MS = 30 * 60_000; // the API server drops Events after an hour

interface Waiting {
  readonly object: KubeObject;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

interface Written {
  readonly name: string;
  readonly until: number;
  count: number;
}

/** Writes core/v1 Events, aggregated: the same happening to the same object is one Event with a count. */
export class KubeEventRecorder implements EventRecorder, Runnable {
  readonly name = 'event recorder';
  readonly #api: EventWriter;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #identity: string;
  readonly #queue = new BoundedQueue<Waiting>('events', MAX_WAITING);
  readonly #written = new Map<string, Written>();
  readonly #dropped: CounterMetric;

  constructor(deps: { api: EventWriter; clock: Clock; log: Logger; metrics: Metrics }, options: { identity: string }) {
    this.#api = deps.api;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#identity = options.identity;
    this.#dropped = deps.metrics.counter({
      name: 'lictor_operator_events_dropped_total',
      help: 'Kubernetes Events not written because too many were waiting or the API server refused them.',
    });
  }

  record(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    try {
      this.#queue.push({ object, type, reason, message });
    } catch {
      this.#dropped.add();
    }
  }

  async run(ctx: RunContext): Promise<void> {
    ctx.ready();
    for (;;) {
      const waiting = await this.#queue.take(ctx.signal);
      if (!waiting) return;
      try {
        await this.#write(waiting, ctx.signal);
      } catch (error) {
        if (ctx.signal.aborted) return;
        this.#dropped.add();
        this.#log.debug('an Event could not be written', { reason: waiting.reason, text: errorText(error) });
      }
    }
  }

  async #write({ object, type, reason, message }: Waiting, signal: AbortSignal): Promise<void> {
    const now = new Date(this.#clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
    const namespace = object.metadata.namespace ?? 'default';
    const identity = hash('sha256', JSON.stringify([object.kind, object.metadata.uid, type, reason, message]), 'hex');
    const known = this.#written.get(identity);
    if (known && known.until > this.#clock.monotonic()) {
      try {
        await this.#api.patchEvent(
          { namespace, name: known.name },
          { count: known.count + 1, lastTimestamp: now },
          signal,
        );
        known.count++;
        return;
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'notFound')) throw error;
      }
    }
    // The name holds the time, so that the Event of an earlier process is not in the way.
    const name = `${object.metadata.name.slice(0, 200)}.${identity.slice(0, 10)}${this.#clock.now().toString(16)}`;
    await this.#api.createEvent(this.#event({ object, type, reason, message }, { name, namespace, now }), signal);
    this.#remember(identity, name);
  }

  #event(what: Waiting, at: { name: string; namespace: string; now: string }): KubeEvent {
    const { object, type, reason, message } = what;
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: at.name, namespace: at.namespace },
      involvedObject: {
        apiVersion: object.apiVersion ?? '',
        kind: object.kind ?? '',
        namespace: at.namespace,
        name: object.metadata.name,
        uid: object.metadata.uid,
      },
      type,
      reason,
      message: message.slice(0, 1024), // the API server's limit
      count: 1,
      firstTimestamp: at.now,
      lastTimestamp: at.now,
      source: { component: COMPONENT },
      reportingComponent: COMPONENT,
      reportingInstance: this.#identity.slice(0, 128),
    };
  }

  #remember(identity: string, name: string): void {
    this.#written.delete(identity);
    this.#written.set(identity, { name, count: 1, until: this.#clock.monotonic() + REMEMBERED_MS });
    for (const oldest of this.#written.keys()) {
      if (this.#written.size <= MAX_REMEMBERED) break;
      this.#written.delete(oldest);
    }
  }
}
