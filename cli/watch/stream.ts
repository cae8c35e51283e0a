import type { HealthEntry } from '../../api/shapes/catalog.ts';
import type { StreamEvent } from '../../api/shapes/stream.ts';
import { Backoff } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import type { HttpApi, Query } from '../http-api.ts';
import { type Instance, type InstanceChange, instanceChanges, instanceOf } from './instance-changes.ts';
import { jsonLines } from './json-lines.ts';

export interface StreamDeps {
  readonly api: HttpApi;
  readonly clock: Clock;
  readonly random: Pick<Random, 'next'>;
  /** Told of each end of the stream, which is taken up again. */
  readonly onFailure: (text: string) => void;
  /** Told once of what is there, as soon as that is known. */
  readonly onFirst?: (shown: readonly Instance[]) => void;
}

const PATH = '/v1/stream/health';
/** Three heartbeats: silence for longer means a dead link. */
const SILENCE_MS = 30_000;
const RETRY = { baseMs: 500, maxMs: 30_000, jitter: 0.5 };

/** What is known of the instances, and where the stream is to be taken up again. */
interface Position {
  index: number;
  shown: Map<string, Instance>;
  /** What comes after a `snapshot`, until it is whole. */
  coming: Map<string, Instance> | undefined;
}

/**
 * Every change of the instances that a query asks for, the first ones as added, from one request that goes on until the
 * signal aborts. A stream that ends is taken up where it ended.
 * @throws AppError `notFound` when the agent has no streams, `badRequest` or `permissionDenied` when it refuses this one.
 */
export async function* followStream(
  deps: StreamDeps,
  query: Query,
  signal: AbortSignal,
): AsyncGenerator<InstanceChange[], void, void> {
  const at: Position = { index: 0, shown: new Map(), coming: undefined };
  const backoff = new Backoff(deps, RETRY);
  let isFirst = true;
  while (!signal.aborted) {
    try {
      for await (const event of events(deps, { ...query, index: at.index === 0 ? undefined : String(at.index) })) {
        backoff.reset();
        const changes = advance(at, event);
        if (isFirst && event.Type === 'synced') {
          isFirst = false;
          deps.onFirst?.([...at.shown.values()]);
        }
        if (changes.length > 0) yield changes;
      }
      if (!signal.aborted) deps.onFailure('the stream ended; it is taken up again');
    } catch (error) {
      if (signal.aborted) return;
      if (isFinal(error)) throw error;
      deps.onFailure(errorText(error));
    }
    await deps.clock.sleep(backoff.next(), signal);
  }
}

function isFinal(error: unknown): boolean {
  return error instanceof AppError && ['notFound', 'badRequest', 'permissionDenied'].includes(error.code);
}

async function* events({ api, clock }: StreamDeps, query: Query): AsyncGenerator<StreamEvent, void, void> {
  const { body } = await api.stream('GET', PATH, { query });
  let timer = clock.after(0, () => {});
  const restart = () => {
    timer.cancel();
    timer = clock.after(SILENCE_MS, () =>
      body.destroy(new AppError('deadline', `the stream was silent for ${SILENCE_MS / 1000} s`)),
    );
  };
  try {
    restart();
    for await (const event of jsonLines<StreamEvent>(body)) {
      restart();
      yield event;
    }
  } finally {
    timer.cancel();
    body.destroy();
  }
}

/** Takes an event up; gives what it changes for whoever looks at the instances. */
export function advance(at: Position, event: StreamEvent): InstanceChange[] {
  at.index = event.Index;
  switch (event.Type) {
    case 'snapshot':
      at.coming = new Map();
      return [];
    case 'synced':
      return synced(at);
    case 'upsert':
      return changed(at, keyOf(event.Entry), instanceOf(event.Entry));
    case 'delete':
      return changed(at, `${event.Namespace || 'default'}/${event.Node}/${event.ServiceID}`, undefined);
    default:
      return [];
  }
}

function synced(at: Position): InstanceChange[] {
  if (!at.coming) return [];
  const before = at.shown;
  at.shown = at.coming;
  at.coming = undefined;
  return instanceChanges(before, at.shown);
}

function changed(at: Position, key: string, instance: Instance | undefined): InstanceChange[] {
  const target = at.coming ?? at.shown;
  const before = target.get(key);
  if (instance) target.set(key, instance);
  else target.delete(key);
  return at.coming ? [] : instanceChanges(single(key, before), single(key, instance));
}

function single(key: string, instance: Instance | undefined): ReadonlyMap<string, Instance> {
  return new Map(instance ? [[key, instance]] : []);
}

function keyOf({ Node, Service }: HealthEntry): string {
  return `${Service.Namespace || 'default'}/${Node.Node}/${Service.ID}`;
}
