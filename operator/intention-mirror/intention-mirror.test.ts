import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom } from '../../core/random.ts';
import type { ShownEntry } from '../intention-client/intention-client.ts';
import { entryDigest } from './entry-digest.ts';
import { IntentionMirror, type MirroredEntry } from './intention-mirror.ts';

type List = { index: number; entries: ShownEntry[] };

const shown = (name: string, modifyIndex: number, owner?: string, action = 'allow'): ShownEntry & object => ({
  Name: name,
  ModifyIndex: modifyIndex,
  ...(owner && { Meta: { 'lictor.dev/owner': owner, 'lictor.dev/ref': `Intention/shop/${name}` } }),
  ...{ Sources: [{ Name: 'web', Action: action }] },
});

/** A mirror whose lists the test gives one after the other. */
function setup() {
  const clock = new FakeClock();
  const asked: number[] = [];
  let answer: { resolve: (list: List) => void; reject: (error: unknown) => void } | undefined;
  const mirror = new IntentionMirror(
    {
      client: {
        list: ({ index }, signal) =>
          new Promise<List>((resolve, reject) => {
            asked.push(index);
            answer = { resolve, reject };
            signal.addEventListener('abort', () => reject(signal.reason));
          }),
      },
      clock,
      random: new SeededRandom(1),
      log: silentLogger,
      metrics: new Metrics(),
    },
    { owner: 'kubernetes/prod' },
  );
  const told: string[] = [];
  const name = (entry: MirroredEntry | undefined) => (entry ? `${entry.destination}@${entry.modifyIndex}` : 'none');
  mirror.subscribe((old, current) => told.push(`${name(old)} -> ${name(current)}`));
  const abort = new AbortController();
  const running = mirror.run({ signal: abort.signal, ready: () => {} });
  return {
    mirror,
    asked,
    told: () => told.splice(0),
    give: async (list: List) => {
      answer!.resolve(list);
      await clock.advance(1_000);
    },
    fail: async (error: unknown, ms: number) => {
      answer!.reject(error);
      await clock.advance(ms);
    },
    end: async () => {
      abort.abort();
      await running;
    },
  };
}

describe('intention mirror', () => {
  it('is synced by the first list and then asks for what is newer', async () => {
    const { mirror, asked, told, give, end } = setup();
    expect(mirror.synced()).toBe(false);
    await give({ index: 9, entries: [shown('db', 5, 'kubernetes/prod'), shown('Cache', 7)] });
    expect(mirror.synced()).toBe(true);
    expect(asked).toEqual([0, 9]);
    expect(told()).toEqual(['none -> db@5', 'none -> Cache@7']);
    expect([...mirror.refs()]).toEqual(['Intention/shop/db']);
    expect(mirror.size).toBe(1);
    expect(mirror.get('cache')).toMatchObject({ destination: 'Cache', owner: undefined });
    await end();
  });

  it('tells what changed, came and went, and nothing else', async () => {
    const { told, give, end } = setup();
    const kept = shown('kept', 2, 'kubernetes/prod');
    await give({ index: 9, entries: [kept, shown('db', 5), shown('gone', 6)] });
    told();
    await give({ index: 12, entries: [kept, shown('db', 11, undefined, 'deny'), shown('new', 12)] });
    expect(told()).toEqual(['db@5 -> db@11', 'none -> new@12', 'gone@6 -> none']);
    await end();
  });

  it('tells of a write when it is noted and not of its echo, but of one that another overtook', async () => {
    const { mirror, told, give, end } = setup();
    await give({ index: 9, entries: [shown('db', 5, 'kubernetes/prod')] });
    told();
    const written = { ...mirror.get('db')!, destination: 'api', modifyIndex: 0 };
    mirror.wrote(written);
    mirror.deleted('db');
    expect(told()).toEqual(['none -> api@0', 'db@5 -> none']);
    expect([...mirror.byRef('Intention/shop/db')]).toEqual([written]);
    const echo = { ...shown('db', 10, 'kubernetes/prod'), Name: 'api' };
    mirror.wrote({ ...written, digest: entryDigest(echo) });
    told();
    await give({ index: 10, entries: [echo] });
    expect(told()).toEqual([]);
    await give({ index: 11, entries: [shown('api', 11)] });
    expect(told()).toEqual(['api@10 -> api@11']);
    await end();
  });

  it('keeps what it knows while the servers are away, and compares when they are back', async () => {
    const { mirror, asked, told, give, fail, end } = setup();
    await give({ index: 9, entries: [shown('db', 5)] });
    told();
    await fail(new AppError('unavailable', 'gone'), 10_000);
    expect(mirror.synced()).toBe(true);
    expect(mirror.get('db')).toBeDefined();
    await give({ index: 9, entries: [] });
    expect(told()).toEqual(['db@5 -> none']);
    expect(asked).toEqual([0, 9, 0, 9]);
    await end();
  });

  it('begins anew when the index fell', async () => {
    const { asked, give, end } = setup();
    await give({ index: 900, entries: [] });
    await give({ index: 3, entries: [] });
    await give({ index: 3, entries: [] });
    expect(asked).toEqual([0, 900, 0, 3]);
    await end();
  });
});
