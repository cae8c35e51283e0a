import { FakeClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { SeededRandom } from '../../core/random.ts';
import { DEFAULT_HISTORY } from '../change-history.ts';
import { EVERYTHING, eventText, take } from '../contract/shorthand.ts';
import type { WatchListener } from './etcd-client.ts';
import { etcdError } from './etcd-error.ts';
import { Follower, type WatchEnd } from './follower.ts';
import { KeyIndex } from './key-index.ts';
import { encodeHead, entryHead, type Head, Layout } from './layout.ts';
import type { EtcdEvent, WatchCreate, WatchResponse } from './messages.ts';
import { type Content, Replica } from './replica.ts';

const PROBE_MS = 5000;
/** Of one look whether the stream lives, and a little. */
const LOOK_MS = 501;
const layout = new Layout('t/');
const generation = layout.generation('g');

/** What one transaction of an engine leaves in etcd: at etcd's revision 10 + n the store has revision n. */
function headOf(revision: number, changes: Partial<Head> = {}): Head {
  return {
    id: `id-${revision}`,
    revision,
    base: 0,
    previous: revision === 0 ? 0 : 9 + revision,
    changes: [1],
    ...changes,
  };
}

function putEvents(revision: number, key = 'k'): EtcdEvent[] {
  const modRevision = 10 + revision;
  const value = Buffer.concat([entryHead(1, revision), Buffer.from(`${revision}`)]);
  return [
    { deleted: false, kv: { key: generation.head, value: encodeHead(headOf(revision)), modRevision } },
    { deleted: false, kv: { key: generation.entry(key), value, modRevision } },
  ];
}

function contentAt(revision: number): Content {
  const index = new KeyIndex();
  if (revision > 0) index.set('k', 1, revision);
  const headRevision = 10 + revision;
  return {
    storeId: 's',
    generation: 'g',
    layout: generation,
    head: headOf(revision),
    headRevision,
    readRevision: headRevision,
    index,
  };
}

/** Streams that a test speaks through, one after another. */
class FakeEtcd {
  readonly opened: WatchCreate[] = [];
  listener: WatchListener | undefined;
  probes = 0;
  /** Members that were given up. */
  givenUp = 0;
  /** Whether it gives a sign of life when asked for one. */
  alive = true;
  moves = 0;
  cancelled = 0;
  loads = 0;
  /** The store's revision that a quorum knows; undefined: none answers. */
  newest: number | undefined = 0;

  watch(request: WatchCreate, listener: WatchListener) {
    this.opened.push(request);
    this.listener = listener;
    return {
      endpoint: 'a:1',
      probe: () => {
        this.probes++;
        if (this.alive) this.say({});
      },
      cancel: () => this.cancelled++,
      giveUp: () => this.givenUp++,
    };
  }
  moveOn(): void {
    this.moves++;
  }
  async head() {
    if (this.newest === undefined) throw etcdError({ code: 14, details: 'no leader' }, 'etcd');
    const kv = { key: generation.head, value: encodeHead(headOf(this.newest)), modRevision: 10 + this.newest };
    return { kv, at: 100 };
  }
  async content() {
    this.loads++;
    return { content: contentAt(this.newest!), at: 200 };
  }
  say(response: Partial<WatchResponse>): void {
    this.listener!.response({
      header: { clusterId: 1, memberId: 1, revision: 1 },
      created: false,
      canceled: false,
      compactRevision: 0,
      cancelReason: '',
      events: [],
      ...response,
    });
  }
}

function bench(loadedAt = 0) {
  const etcd = new FakeEtcd();
  const clock = new FakeClock();
  const replica = new Replica(contentAt(loadedAt), DEFAULT_HISTORY);
  const ends: WatchEnd[] = [];
  const follower = new Follower(
    {
      client: etcd,
      loader: etcd,
      replica,
      clock,
      random: new SeededRandom(1),
      log: silentLogger,
      onEnd: (end) => ends.push(end),
    },
    { from: 11 + loadedAt, probeMs: PROBE_MS },
  );
  const stop = new AbortController();
  const running = follower.run(stop.signal);
  return { etcd, clock, replica, ends, follower, stop, running };
}

const never = new AbortController().signal;

describe('the follower of etcd', () => {
  it('goes on after the last complete transaction when its stream is lost in the middle of one', async () => {
    const { etcd, clock, replica, ends } = bench();
    etcd.say({ created: true });
    etcd.say({ events: putEvents(1) });
    etcd.say({ events: putEvents(2).slice(0, 1) });
    etcd.listener!.lost(etcdError({ code: 14, details: 'gone' }, 'etcd'));
    await clock.advance(100);
    expect(ends).toEqual(['lost']);
    expect(etcd.opened.map(({ startRevision }) => startRevision)).toEqual([11, 12]);
    etcd.say({ events: [...putEvents(1), ...putEvents(2)] });
    etcd.say({ events: putEvents(2) });
    etcd.say({ events: putEvents(3) });
    expect(replica.revision).toBe(3);
    expect((await take(replica.history.watch(EVERYTHING, 0, never), 3)).map(eventText)).toEqual([
      '1: +k=1',
      '2: +k=2',
      '3: +k=3',
    ]);
    expect(etcd.loads).toBe(0);
  });

  it('takes the parts of one transaction from several responses', () => {
    const { etcd, replica } = bench();
    const [head, entry] = putEvents(1);
    etcd.say({ events: [head!] });
    expect(replica.revision).toBe(0);
    etcd.say({ events: [entry!] });
    expect(replica.revision).toBe(1);
  });

  it.each<[string, EtcdEvent[]]>([
    ['a transaction is left out', putEvents(2)],
    ['a change of a transaction is left out', [putEvents(1)[0]!, ...putEvents(2)]],
    [
      'a transaction follows another head',
      [{ ...putEvents(1)[0]!, kv: { ...putEvents(1)[0]!.kv, value: encodeHead(headOf(1, { previous: 7 })) } }],
    ],
    [
      'the store has moved',
      [{ ...putEvents(1)[0]!, kv: { ...putEvents(1)[0]!.kv, value: encodeHead(headOf(1, { movedTo: 'h' })) } }],
    ],
    [
      'what is there then does not come to the sum of its writer',
      [
        {
          ...putEvents(1)[0]!,
          kv: {
            ...putEvents(1)[0]!.kv,
            value: encodeHead(headOf(1, { content: { entries: 2, digest: '0123456789abcdef' } })),
          },
        },
        putEvents(1)[1]!,
      ],
    ],
    ['the head is removed', [{ ...putEvents(1)[0]!, deleted: true }]],
  ])('loads anew when %s, and open watches end with compacted', async (_, events) => {
    const { etcd, clock, replica, ends } = bench();
    const watching = take(replica.history.watch(EVERYTHING, 0, never), 1);
    watching.catch(() => {}); // observed below
    etcd.newest = 5;
    etcd.say({ events });
    await clock.advance(100);
    expect(ends).toEqual(['gap']);
    expect([etcd.loads, replica.revision]).toEqual([1, 5]);
    await expect(watching).rejects.toMatchObject({ code: 'compacted' });
    expect(etcd.opened.at(-1)!.startRevision).toBe(201);
    etcd.say({ events: putEvents(6) });
    expect(replica.revision).toBe(6);
  });

  it('fails for good when something else than an engine changes a key', async () => {
    const { etcd, replica, running } = bench();
    etcd.say({ events: putEvents(1).slice(1) });
    await running;
    expect(replica.failure).toMatchObject({ code: 'storeCorrupt' });
    await expect(take(replica.history.watch(EVERYTHING, 0, never), 1)).rejects.toMatchObject({ code: 'storeCorrupt' });
  });

  it('takes own commits from the answer or from the watch, whichever is first, each once', async () => {
    const { etcd, replica } = bench();
    const own = (revision: number) => {
      const entry = { key: 'k', value: Buffer.from(`${revision}`), createRevision: 1, modRevision: revision };
      return [{ revision, changes: [{ kind: 'put' as const, entry }] }];
    };
    replica.applied(own(1), headOf(1), 11);
    replica.applied(own(2), headOf(2), 12);
    etcd.say({ events: [...putEvents(1), putEvents(2)[0]!] });
    etcd.say({ events: [putEvents(2)[1]!, putEvents(3)[0]!] });
    replica.applied(own(3), headOf(3), 13);
    etcd.say({ events: [putEvents(3)[1]!, ...putEvents(4)] });
    replica.applied(own(4), headOf(4), 14);
    expect((await take(replica.history.watch(EVERYTHING, 0, never), 4)).map(eventText)).toEqual([
      '1: +k=1',
      '2: +k=2',
      '3: +k=3',
      '4: +k=4',
    ]);
    expect([replica.failure, etcd.loads]).toEqual([undefined, 0]);
  });

  it('fails for good also when own commits have gone past a change of something else before the watch tells', () => {
    const { etcd, replica } = bench();
    replica.applied([], headOf(1, { previous: 10 }), 15);
    const [, foreign] = putEvents(2);
    etcd.say({ events: [foreign!] });
    expect(replica.failure).toMatchObject({
      code: 'storeCorrupt',
      message: expect.stringMatching(/changed by something/),
    });
  });

  it('refuses everything while etcd went back behind what it has told, and goes on when it knows it again', async () => {
    const { etcd, clock, replica } = bench(7);
    const events = take(replica.history.watch(EVERYTHING, 7, never), 1);
    etcd.newest = 3;
    etcd.say({ events: putEvents(9) });
    await clock.advance(100);
    expect(replica.failure).toMatchObject({
      code: 'storeMismatch',
      message: expect.stringMatching(/from revision 7 to 3/),
    });
    expect(replica.revision).toBe(7);
    etcd.newest = 7;
    await clock.advance(5000);
    expect(replica.failure).toBeUndefined();
    etcd.say({ events: putEvents(8) });
    expect((await events).map(eventText)).toEqual(['8: +k=8']);
  });

  it('goes on without loading when only foreign changes were compacted, and loads when own ones were', async () => {
    const { etcd, clock, replica, ends } = bench(3);
    etcd.newest = 3;
    etcd.say({ canceled: true, compactRevision: 90 });
    await clock.advance(100);
    expect([ends, etcd.loads, etcd.opened.at(-1)!.startRevision]).toEqual([['compacted'], 0, 101]);
    etcd.newest = 8;
    etcd.say({ canceled: true, compactRevision: 150 });
    await clock.advance(200);
    expect([etcd.loads, replica.revision, etcd.opened.at(-1)!.startRevision]).toEqual([1, 8, 201]);
  });

  it('asks for a sign of life when nothing comes, and gives the member up when there is none', async () => {
    const { etcd, clock, ends } = bench();
    etcd.say({ created: true });
    await clock.advance(LOOK_MS);
    expect(etcd.probes).toBe(0);
    for (let i = 0; i < 10; i++) await clock.advance(LOOK_MS);
    expect([etcd.probes, etcd.opened.length]).toEqual([5, 1]);
    etcd.alive = false;
    etcd.say({});
    for (let i = 0; i < 3; i++) await clock.advance(LOOK_MS);
    expect([ends, etcd.givenUp]).toEqual([[], 0]);
    await clock.advance(LOOK_MS);
    expect([ends, etcd.givenUp, etcd.opened.length]).toEqual([['silent'], 1, 2]);
  });

  it('does not take its own pause for a silence of the member', async () => {
    const { etcd, clock, ends } = bench();
    etcd.alive = false;
    etcd.say({ created: true });
    for (let i = 0; i < 5; i++) await clock.stall(10_000);
    expect(ends).toEqual([]);
  });

  it('turns to another member when its stream lives but lacks what a quorum has, and loads when that repeats', async () => {
    const { etcd, clock, replica, ends } = bench();
    etcd.newest = 4;
    const starve = async (): Promise<void> => {
      await clock.advance(2 * PROBE_MS);
      await clock.advance(200);
    };
    await starve();
    expect([ends, etcd.moves, etcd.loads]).toEqual([['starved'], 1, 0]);
    expect(etcd.opened.at(-1)!.startRevision).toBe(11);
    await starve();
    expect([ends, etcd.moves, etcd.loads]).toEqual([['starved', 'starved'], 2, 1]);
    expect(replica.revision).toBe(4);
  });

  it('turns to another member, and loads when that repeats, when commits find it starved before the regular look', async () => {
    const { etcd, clock, replica, follower, ends } = bench();
    etcd.newest = 4;
    for (const expected of [
      { moves: 1, loads: 0 },
      { moves: 2, loads: 1 },
    ]) {
      etcd.say({});
      await clock.advance(2000);
      follower.restart('starved');
      // Another commit finds the same before the next stream.
      follower.restart('starved');
      await clock.advance(100);
      expect({ moves: etcd.moves, loads: etcd.loads }).toEqual(expected);
    }
    expect([ends, replica.revision]).toEqual([['starved', 'starved'], 4]);
  });

  it('does not load because it was held up itself while commits found it behind', async () => {
    const { etcd, clock, follower, ends } = bench();
    etcd.newest = 4;
    for (let moves = 1; moves <= 3; moves++) {
      etcd.say({});
      const found = clock.sleep(2000).then(() => follower.restart('starved'));
      await clock.stall(2500);
      await found;
      await clock.advance(100);
      expect({ moves: etcd.moves, loads: etcd.loads }).toEqual({ moves, loads: 0 });
    }
    expect(ends).toEqual(['starved', 'starved', 'starved']);
  });

  it('asks a quorum and judges by its answer also when no stream lasts', async () => {
    const { etcd, clock, ends } = bench();
    etcd.newest = 4;
    for (let i = 0; i < 6; i++) {
      etcd.say({});
      await clock.advance(2000);
      if (!ends.includes('starved')) etcd.listener!.lost(etcdError({ code: 14, details: 'gone' }, 'etcd'));
      await clock.advance(100);
    }
    expect(ends).toContain('starved');
    expect(etcd.moves).toBe(1);
  });

  it('is content with a stream that is late but brings it before the next look', async () => {
    const { etcd, clock, replica, ends } = bench();
    etcd.newest = 1;
    etcd.say({});
    await clock.advance(PROBE_MS);
    etcd.say({ events: putEvents(1) });
    await clock.advance(PROBE_MS);
    expect([ends, replica.revision]).toEqual([[], 1]);
  });

  it('loads anew when a quorum knows less than it has told', async () => {
    const { etcd, clock, ends, replica } = bench(7);
    etcd.newest = 3;
    await clock.advance(PROBE_MS + LOOK_MS);
    expect(ends).toEqual(['gap']);
    expect(replica.failure).toMatchObject({ code: 'storeMismatch' });
  });

  it('keeps its stream while no quorum answers', async () => {
    const { etcd, clock, ends } = bench();
    etcd.newest = undefined;
    for (let i = 0; i < 5; i++) {
      etcd.say({});
      await clock.advance(PROBE_MS);
    }
    expect(ends).toEqual([]);
  });

  it('waits longer each time while members refuse, up to two seconds, and not after a stream that worked', async () => {
    const { etcd, clock } = bench();
    etcd.alive = false;
    const lose = async (ms: number): Promise<number> => {
      const before = etcd.opened.length;
      etcd.listener!.lost(etcdError({ code: 14, details: 'gone' }, 'etcd'));
      await clock.advance(ms);
      return etcd.opened.length - before;
    };
    expect(await lose(50)).toBe(1);
    for (let i = 0; i < 10; i++) await lose(2000);
    expect(await lose(999)).toBe(0);
    await clock.advance(1001);
    etcd.say({ created: true });
    expect(await lose(50)).toBe(1);
  });

  it('ends when it is stopped', async () => {
    const { etcd, stop, running } = bench();
    stop.abort();
    await running;
    expect(etcd.cancelled).toBe(1);
  });

  describe('beside a restore of its own process', () => {
    const switched = (revision: number): Content => ({
      ...contentAt(revision),
      generation: 'h',
      layout: layout.generation('h'),
      headRevision: 80 + revision,
    });

    it('changes nothing by what it began to load before', () => {
      const { replica } = bench(5);
      const before = replica.content;
      replica.adopt(switched(8), before);
      replica.adopt(contentAt(5), before);
      expect([replica.revision, replica.content.generation, replica.failure]).toEqual([8, 'h', undefined]);
    });

    it('keeps what others have written on top when the switch is answered after it has loaded that', () => {
      const { replica } = bench(5);
      const before = replica.content;
      replica.adopt(switched(9), before);
      replica.adopt(switched(8), before);
      expect([replica.revision, replica.content.headRevision, replica.failure]).toEqual([9, 89, undefined]);
    });
  });
});
