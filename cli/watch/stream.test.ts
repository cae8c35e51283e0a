import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { HealthEntry } from '../../api/shapes/catalog.ts';
import type { StreamEvent } from '../../api/shapes/stream.ts';
import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { HttpApi, Query } from '../http-api.ts';
import type { InstanceChange } from './instance-changes.ts';
import { jsonLines } from './json-lines.ts';
import { advance, followStream } from './stream.ts';

const entry = (id: string, status = 'passing', namespace?: string) =>
  ({
    Node: { Node: 'n1', Address: '10.0.0.1' },
    Service: { ID: id, Service: 'web', Address: '', Port: 80, ...(namespace ? { Namespace: namespace } : {}) },
    Checks: [{ Name: 'up', Status: status, Output: '', Notes: '' }],
  }) as unknown as HealthEntry;
const upsert = (Index: number, Entry: HealthEntry): StreamEvent => ({ Type: 'upsert', Index, Entry });
const remove = (Index: number, ServiceID: string, Namespace = 'default'): StreamEvent => ({
  Type: 'delete',
  Index,
  Namespace,
  Node: 'n1',
  ServiceID,
});
const words = (changes: readonly InstanceChange[]) =>
  changes.map(({ change, instance, status }) => `${change} ${instance} ${status}`);

describe('the events of a stream', () => {
  it('change what is shown, a snapshot all at once', () => {
    const at = { index: 0, shown: new Map(), coming: undefined };
    const take = (event: StreamEvent) => words(advance(at, event));
    expect(take({ Type: 'snapshot', Index: 0 })).toEqual([]);
    expect(take(upsert(4, entry('a')))).toEqual([]);
    expect(take(upsert(4, entry('b')))).toEqual([]);
    expect(take({ Type: 'synced', Index: 4 })).toEqual(['added a passing', 'added b passing']);
    expect(take(upsert(5, entry('a', 'critical')))).toEqual(['changed a critical']);
    expect(take(upsert(6, entry('a', 'critical')))).toEqual([]);
    expect(take(upsert(7, entry('a', 'passing', 'shop')))).toEqual(['added a passing']);
    expect(take(remove(8, 'a', 'shop'))).toEqual(['removed a passing']);
    expect(take(remove(8, 'never'))).toEqual([]);
    expect(take({ Type: 'heartbeat', Index: 9 })).toEqual([]);
    expect(take({ Type: 'resume', Index: 9 })).toEqual([]);
    expect(take({ Type: 'snapshot', Index: 0 })).toEqual([]);
    expect(take(upsert(2, entry('b')))).toEqual([]);
    expect(take({ Type: 'synced', Index: 2 })).toEqual(['removed a critical']);
    expect(at.index).toBe(2);
  });
});

describe('following a stream', () => {
  const clock = new FakeClock();
  const random = { next: () => 0 };
  /** An API whose streams are these, in order; an error is thrown. */
  function apiOf(...bodies: (Readable | AppError)[]) {
    const asked: Query[] = [];
    const api = {
      stream: async (_method: string, _path: string, { query }: { query: Query }) => {
        asked.push(query);
        const body = bodies.shift()!;
        if (body instanceof Error) throw body;
        return { status: 200, headers: {}, body };
      },
    } as unknown as HttpApi;
    return { api, asked };
  }
  const lines = (...events: StreamEvent[]) => Readable.from(events.map((event) => `${JSON.stringify(event)}\n`));
  /** Moves the clock until the promise has settled. */
  async function moved<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    void promise.finally(() => (over = true)).catch(() => {});
    while (!over) {
      await clock.advance(1_000);
      await setImmediate();
    }
    return promise;
  }

  it('goes on where the stream ended, and after silence', async () => {
    const stop = new AbortController();
    const told: string[] = [];
    const silent = new Readable({ read: () => {} });
    const { api, asked } = apiOf(
      lines({ Type: 'snapshot', Index: 0 }, upsert(7, entry('a')), { Type: 'synced', Index: 7 }),
      new AppError('unavailable', 'refused'),
      silent,
      lines({ Type: 'resume', Index: 7 }, upsert(8, entry('b'))),
    );
    const first: unknown[] = [];
    const onFirst = (shown: readonly { instance: string }[]) => void first.push(shown.map(({ instance }) => instance));
    const deps = { api, clock, random, onFailure: (text: string) => void told.push(text), onFirst };
    const changes = followStream(deps, { service: ['web'] }, stop.signal);
    expect(words((await changes.next()).value!)).toEqual(['added a passing']);
    expect(words((await moved(changes.next())).value!)).toEqual(['added b passing']);
    expect(asked.map(({ index }) => index)).toEqual([undefined, '7', '7', '7']);
    expect(told).toEqual(['the stream ended; it is taken up again', 'refused', 'the stream was silent for 30 s']);
    expect(first).toEqual([['a']]);
    stop.abort();
    expect((await moved(changes.next())).done).toBe(true);
  });

  it.each(['rateLimited', 'deadline'] as const)('goes on after %s', async (code) => {
    const stop = new AbortController();
    const { api } = apiOf(new AppError(code, 'later'), lines(upsert(7, entry('a'))));
    const told: string[] = [];
    const deps = { api, clock, random, onFailure: (text: string) => void told.push(text) };
    const changes = followStream(deps, {}, stop.signal);
    expect(words((await moved(changes.next())).value!)).toEqual(['added a passing']);
    expect(told).toEqual(['later']);
    stop.abort();
    await moved(changes.next());
  });

  it('ends with what will not pass', async () => {
    const { api } = apiOf(new AppError('badRequest', 'Invalid filter'));
    const deps = { api, clock, random, onFailure: () => {} };
    await expect(followStream(deps, {}, new AbortController().signal).next()).rejects.toThrow('Invalid filter');
  });
});

describe('lines of JSON', () => {
  const read = async (...chunks: (string | Buffer)[]) => {
    const values: unknown[] = [];
    for await (const value of jsonLines(Readable.from(chunks.map((chunk) => Buffer.from(chunk))), 20))
      values.push(value);
    return values;
  };
  it('may be cut anywhere, also within a character', async () => {
    const text = Buffer.from('{"a":"ö"}\n\n1\n{"no');
    expect(await read(text.subarray(0, 7), text.subarray(7))).toEqual([{ a: 'ö' }, 1]);
  });

  it('are refused when they are no JSON or have no end', async () => {
    await expect(read('nope\n')).rejects.toThrow('a line of the stream is no JSON: "nope"');
    await expect(read('x'.repeat(21))).rejects.toThrow('longer than 20 characters');
  });
});
