import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { SeededRandom, SystemRandom } from '../../core/random.ts';
import { JOURNAL_FILES } from '../../store/lmdb/journal.ts';
import { openLmdbStore } from '../../store/lmdb/open-lmdb-store.ts';
import { prefixRange, type Store } from '../../store/store.ts';
import { describeReal, findProgram } from '../support/require-real.ts';
import { type StoreChild, startStoreChild } from '../support/store-child.ts';

const KILLS = Number(process.env.LICTOR_STORE_KILLS ?? 200);
/** Processes at a time, each on a folder of its own. */
const LANES = 2;

const deps = { clock: new SystemClock(), log: silentLogger, random: new SystemRandom() };
// Small journals, so that folders are copied in a moment.
const open = (dir: string): Promise<Store> => openLmdbStore({ dir, ...deps, journalBytes: 64 * 1024 });
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lictor-faults-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const numbersOf = (lines: readonly string[], word: string): number[] =>
  lines.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.split(' ')[1]));

/** The numbers of the pairs, after a check that no transaction is there by half. */
async function committedNumbers(store: Store): Promise<Set<number>> {
  const suffixes = async (prefix: string): Promise<string[]> =>
    (await store.read(prefixRange(prefix))).entries.map((entry) => entry.key.slice(prefix.length));
  const [a, b, marks] = [await suffixes('a/'), await suffixes('b/'), await suffixes('mark/')];
  expect(b).toEqual(a);
  const writers = marks.map((mark) => mark.split('/')[0]);
  expect(new Set(writers).size).toBe(writers.length);
  expect(a).toEqual(expect.arrayContaining(marks.map((mark) => mark.split('/')[1])));
  return new Set(a.map(Number));
}

/** Kills at a random moment: every other time while the process starts and opens, else while it writes. */
async function killAtRandom(child: StoreChild, random: SeededRandom, round: number): Promise<void> {
  if (round % 4 === 0) {
    await sleep(random.next() * 250);
  } else {
    await child.said('ready');
    await sleep(random.next() * 40);
  }
  await child.kill();
}

describe('kill -9', () => {
  it(`of a writer, ${KILLS} times: every acknowledged commit is there, and none by half`, async () => {
    let acknowledged = 0;
    const lane = async (lane: number): Promise<void> => {
      const folder = join(dir, `lane-${lane}`);
      const random = new SeededRandom(lane + 1);
      const acks = new Set<number>();
      for (let round = lane; round < KILLS; round += LANES) {
        const child = startStoreChild([folder, 'pairs', '5', '1000000']);
        await killAtRandom(child, random, Math.floor(round / LANES));
        for (const number of numbersOf(child.lines, 'ack')) acks.add(number);
        const store = await open(folder);
        const committed = await committedNumbers(store);
        expect([...acks].filter((number) => !committed.has(number))).toEqual([]);
        // One revision a transaction: neither the number nor a transaction is there without the other.
        expect(store.revision()).toBe(committed.size);
        await store.close();
      }
      acknowledged += acks.size;
    };
    await Promise.all(Array.from({ length: LANES }, (_, i) => lane(i)));
    expect(acknowledged).toBeGreaterThan(KILLS);
  }, 300_000);

  it('of a process that restores snapshots: the content is that before or that after', async () => {
    const random = new SeededRandom(11);
    for (let round = 0; round < Math.min(15, KILLS); round++) {
      const child = startStoreChild([dir, 'restore']);
      await child.said('extra');
      await sleep(random.next() * 300);
      await child.kill();
      const store = await open(dir);
      const { entries } = await store.read(prefixRange(''));
      const keys = new Set(entries.map((entry) => entry.key));
      expect(entries.length - (keys.has('extra') ? 1 : 0)).toBe(5000);
      expect(entries.every((entry) => entry.key === 'extra' || entry.value.length === 1000)).toBe(true);
      await store.close();
    }
  }, 120_000);

  it('frees the folder, which nobody else can open before', async () => {
    const child = startStoreChild([dir, 'pairs', '1', '1000000']);
    await child.said('ack');
    await expect(open(dir)).rejects.toMatchObject({
      code: 'config',
      message: expect.stringMatching(/is in use by process \d+;/),
    });
    await child.said('ack 3');
    await child.kill();
    await (await open(dir)).close();
  });

  it('frees the folder also where the holder could not write down who it is, and nobody else gets in before', async () => {
    await symlink('/dev/full', join(dir, 'LOCK.pid'));
    const child = startStoreChild([dir, 'pairs', '1', '1000000']);
    await child.said('ack');
    await expect(open(dir)).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('is in use by process (unknown);'),
    });
    await child.kill();
    await (await open(dir)).close();
  });
});

const strace = findProgram('strace');

describeReal('strace', strace !== undefined, 'apt-get install strace', 'a disk', () => {
  const SYNC_CALLS = 'fdatasync,fsync,msync';
  const under = (inject: string): string[] => [
    strace!,
    ...['-f', '-qq', '-o', join(dir, 'trace'), '-e', `trace=${inject.split(':')[0]}`, '-e', `inject=${inject}`],
  ];
  const folder = (): string => join(dir, 'store');
  /** A store with one acknowledged pair, made before the disk gets trouble. */
  const prepare = async (): Promise<void> => {
    const child = startStoreChild([folder(), 'pairs', '1', '1']);
    expect(await child.ended).toBe(0);
  };
  const injected = async (): Promise<number> =>
    (await readFile(join(dir, 'trace'), 'utf8')).split(/INJECTED|DELAYED/).length - 1;

  it('that syncs 300 ms late holds every acknowledgement back until its sync', async () => {
    await prepare();
    const child = startStoreChild([folder(), 'pairs', '3', '3'], {
      wrapper: under(`${SYNC_CALLS}:delay_enter=300000`),
    });
    expect(await child.ended).toBe(0);
    const at = (word: string): Map<string, number> =>
      new Map(
        child.lines
          .filter((line) => line.startsWith(`${word} `))
          .map((line) => [line.split(' ')[1]!, Number(line.split(' ')[2])]),
      );
    const [sent, acknowledged] = [at('sent'), at('ack')];
    expect(acknowledged.size).toBe(9);
    for (const [number, time] of acknowledged) expect(time - sent.get(number)!).toBeGreaterThanOrEqual(300);
    // Three writers in three rounds: had each commit waited for a sync of its own, there were nine.
    expect(await injected()).toBeGreaterThanOrEqual(3);
    expect(await injected()).toBeLessThanOrEqual(6);
  }, 60_000);

  it.each([
    ['sync fails with EIO', `${SYNC_CALLS}:error=EIO`, /EIO/],
    ['sync fails with ENOSPC', `${SYNC_CALLS}:error=ENOSPC`, /ENOSPC/],
    ['meta page cannot be written', 'pwrite64:error=EIO', /EIO/],
    ['data pages cannot be written', 'pwrite64,pwritev:error=ENOSPC', /ENOSPC/],
  ])(
    'whose %s: nothing is acknowledged, writes are refused, reads go on',
    async (_, inject, reason) => {
      await prepare();
      const child = startStoreChild([folder(), 'pairs', '3', '3'], { wrapper: under(inject) });
      const code = await child.ended;
      // lmdb-js writes the text of a failed page write past the end of a buffer of its own (mdb.c, malloc(100)), which
      // the C library may answer with SIGABRT when the process ends; what must hold was said before.
      if (!inject.startsWith('pwrite')) expect(code).toBe(0);
      expect(await injected()).toBeGreaterThan(0);
      expect(numbersOf(child.lines, 'ack')).toEqual([]);
      const refused = child.lines.find((line) => line.startsWith('refused '))!;
      expect(refused).toMatch(/^refused storeReadOnly the store in .* takes no more writes/);
      expect(refused).toMatch(reason);
      expect(refused).toMatch(/mend the disk or free space, then restart$/);
      expect(child.lines).toContain('then storeReadOnly');
      expect(child.lines).toContain('read 1 at 2');
      const store = await open(folder());
      expect((await committedNumbers(store)).has(1)).toBe(true);
      await store.close();
    },
    60_000,
  );

  it('that fails after a while: what was acknowledged before stays, and nothing is after', async () => {
    await prepare();
    const child = startStoreChild([folder(), 'pairs', '2', '50'], {
      wrapper: under(`${SYNC_CALLS}:error=EIO:when=6+`),
    });
    expect(await child.ended).toBe(0);
    const acknowledged = numbersOf(child.lines, 'ack');
    expect(acknowledged.length).toBeGreaterThanOrEqual(5);
    expect(child.lines.findIndex((line) => line.startsWith('refused '))).toBeGreaterThan(
      child.lines.findLastIndex((line) => line.startsWith('ack ')),
    );
    const store = await open(folder());
    const committed = await committedNumbers(store);
    expect(acknowledged.filter((number) => !committed.has(number))).toEqual([]);
    await store.close();
  }, 60_000);
});

describe('a damaged data file', () => {
  const source = (): string => join(dir, 'source');
  const copyOf = async (name: string): Promise<string> => {
    const target = join(dir, name);
    await cp(source(), target, { recursive: true });
    return target;
  };
  /** Several levels of pages, large values, free pages, a restored table. */
  const fill = async (): Promise<string> => {
    const store = await open(source());
    for (let i = 0; i < 40; i++) {
      const ops = Array.from({ length: 50 }, (_, j) => ({
        kind: 'put' as const,
        key: `key/${(i * 50 + j) % 1500}/${'k'.repeat(60)}`,
        value: Buffer.alloc(j === 0 ? 9000 : 100, i),
      }));
      await store.commit({ compares: [], ops });
    }
    await store.restore(store.snapshot(new AbortController().signal));
    await store.commit({ compares: [], ops: [{ kind: 'deleteRange', range: prefixRange('key/7') }] });
    const digest = await contentDigest(store);
    await store.close();
    return digest;
  };
  const contentDigest = async (store: Store): Promise<string> => {
    const hash = createHash('sha256');
    for (const entry of (await store.read(prefixRange(''))).entries) {
      hash.update(`${entry.key} ${entry.createRevision} ${entry.modRevision} `).update(entry.value);
    }
    return hash.digest('hex');
  };

  const expectRefused = async (folder: string): Promise<void> => {
    await expect(open(folder)).rejects.toMatchObject({
      code: 'storeCorrupt',
      message: expect.stringMatching(/^data folder .*; restore a snapshot, or move the folder away to begin empty$/),
    });
  };

  it('is refused when truncated, wherever', async () => {
    const digest = await fill();
    const { length } = await readFile(join(source(), 'data.mdb'));
    for (const bytes of [0, 1, 100, 4096, 8191, 8192, 12_288, length >> 2, length >> 1, length - 4096, length - 1]) {
      const folder = await copyOf(`cut-${bytes}`);
      await truncate(join(folder, 'data.mdb'), bytes);
      // The last pages may hold nothing of the content; then there is nothing to refuse.
      if (bytes > length / 2) await refusedOrEqual(folder, digest);
      else await expectRefused(folder);
    }
  });

  const refusedOrEqual = async (folder: string, digest: string): Promise<boolean> => {
    const store = await open(folder).catch((error: unknown) => error as Error & { code: string });
    if (store instanceof Error) {
      expect(store.code).toBe('storeCorrupt');
      return true;
    }
    expect(await contentDigest(store)).toBe(digest);
    // It must be fit for use, too.
    await store.commit({ compares: [], ops: [{ kind: 'put', key: 'new', value: Buffer.alloc(5000) }] });
    await store.close();
    return false;
  };

  it.each([
    ['zeroed', (bytes: Buffer) => Buffer.alloc(bytes.length)],
    ['zeroed at its beginning', (bytes: Buffer) => Buffer.concat([Buffer.alloc(4096), bytes.subarray(4096)])],
    [
      'zeroed behind its first page',
      (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 4096), Buffer.alloc(bytes.length - 4096)]),
    ],
    [
      'zeroed behind its meta pages',
      (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 8192), Buffer.alloc(bytes.length - 8192)]),
    ],
    ['a text', () => Buffer.from('this is not a data file\n'.repeat(1000))],
    ['noise', (bytes: Buffer) => Buffer.from(Uint8Array.from(bytes, (_, i) => (i * 2654435761) >>> 24))],
  ])('is refused when it is %s', async (_, damage) => {
    await fill();
    const path = join(source(), 'data.mdb');
    await writeFile(path, damage(await readFile(path)));
    await expectRefused(source());
  });

  it('is refused when it is missing', async () => {
    await fill();
    await rm(join(source(), 'data.mdb'));
    await expectRefused(source());
  });

  it('with any one page zeroed or flipped is refused, or has lost nothing', async () => {
    const digest = await fill();
    const original = await readFile(join(source(), 'data.mdb'));
    const folder = await copyOf('damaged');
    const random = new SeededRandom(8);
    let refused = 0;
    const pages = original.length / 4096;
    for (let i = 0; i < 250; i++) {
      const page = 2 + Math.floor(random.next() * (pages - 2));
      const damaged = Buffer.from(original);
      if (i % 2 === 0) damaged.fill(0, page * 4096, (page + 1) * 4096);
      else damaged[page * 4096 + Math.floor(random.next() * 4096)]! ^= 1 << Math.floor(random.next() * 8);
      await writeFile(join(folder, 'data.mdb'), damaged);
      for (const name of JOURNAL_FILES) await cp(join(source(), name), join(folder, name));
      if (await refusedOrEqual(folder, digest)) refused++;
    }
    expect(refused).toBeGreaterThan(30);
  }, 60_000);
});

describe('a damaged journal', () => {
  const COMMITS = 30;
  const source = (): string => join(dir, 'source');
  const put = (store: Store, i: number) =>
    store.commit({ compares: [], ops: [{ kind: 'put', key: `key/${i}`, value: Buffer.alloc(200, i) }] });

  /** A copy of a folder as kill -9 leaves it: its last commits are in the journal alone. */
  const killed = async (): Promise<string> => {
    const store = await open(source());
    for (let i = 0; i < COMMITS; i++) await put(store, i);
    const folder = join(dir, 'killed');
    await cp(source(), folder, { recursive: true });
    await rm(join(folder, 'LOCK.pid'), { force: true });
    await store.close();
    return folder;
  };
  const countOf = async (folder: string): Promise<number> => {
    const store = await open(folder);
    const { entries } = await store.read(prefixRange('key/'));
    expect(store.revision()).toBe(entries.length);
    await store.close();
    return entries.length;
  };
  /** Where records begin: the store's id, in its bytes. */
  const recordsOf = async (folder: string): Promise<number[]> => {
    const bytes = await readFile(join(folder, JOURNAL_FILES[0]));
    const id = bytes.subarray(8, 24);
    const found: number[] = [];
    for (let at = bytes.indexOf(id, 24); at >= 0; at = bytes.indexOf(id, at + 1)) found.push(at);
    return found;
  };

  it('that is whole gives everything back, also after a second kill', async () => {
    const folder = await killed();
    expect(await recordsOf(folder)).toHaveLength(COMMITS);
    const again = join(dir, 'again');
    await cp(folder, again, { recursive: true });
    expect(await countOf(folder)).toBe(COMMITS);
    expect(await countOf(again)).toBe(COMMITS);
  });

  it('is refused when a record before the last is cut or flipped', async () => {
    const folder = await killed();
    const path = join(folder, JOURNAL_FILES[0]);
    const original = await readFile(path);
    const records = await recordsOf(folder);
    for (const at of [records[0]!, records[7]!, records.at(-2)!]) {
      for (const byte of [3, 18, 22, 27, 60, 150]) {
        const damaged = Buffer.from(original);
        damaged[at + byte]! ^= 0x10;
        await writeFile(path, damaged);
        await expect(open(folder)).rejects.toMatchObject({
          code: 'storeCorrupt',
          message: expect.stringMatching(/its journal lacks the revisions \d+ to \d+: a record is damaged/),
        });
      }
    }
    await writeFile(path, original);
    expect(await countOf(folder)).toBe(COMMITS);
  });

  it('whose last record was not written whole has all that was acknowledged before it', async () => {
    const folder = await killed();
    const path = join(folder, JOURNAL_FILES[0]);
    const bytes = await readFile(path);
    const last = (await recordsOf(folder)).at(-1)!;
    bytes.fill(0, last + 64);
    await writeFile(path, bytes);
    expect(await countOf(folder)).toBe(COMMITS - 1);
  });

  it.each([
    ['missing', (path: string) => rm(path), /journal file journal-a\.log is missing/],
    ['truncated', (path: string) => truncate(path, 5000), /journal-a\.log has 5000 bytes instead of 65536/],
    [
      'zeroed',
      (path: string) => writeFile(path, Buffer.alloc(64 * 1024)),
      /journal-a\.log does not begin as it should/,
    ],
  ])('is refused when it is %s', async (_, damage, reason) => {
    const folder = await killed();
    await damage(join(folder, JOURNAL_FILES[0]));
    await expect(open(folder)).rejects.toMatchObject({ code: 'storeCorrupt', message: expect.stringMatching(reason) });
  });

  it('takes a transaction that is larger than its files, and goes on', async () => {
    const store = await open(source());
    for (let i = 0; i < 40; i++) {
      const ops = Array.from({ length: 100 }, (_, j) => ({
        kind: 'put' as const,
        key: `many/${i * 100 + j}/${'x'.repeat(40)}`,
        value: Buffer.alloc(100),
      }));
      await store.commit({ compares: [], ops });
    }
    // Its keys alone are more than a file holds.
    await store.commit({ compares: [], ops: [{ kind: 'deleteRange', range: prefixRange('many/') }] });
    await put(store, 0);
    const folder = join(dir, 'killed');
    await cp(source(), folder, { recursive: true });
    await rm(join(folder, 'LOCK.pid'), { force: true });
    await store.close();
    const reopened = await open(folder);
    expect((await reopened.read(prefixRange(''))).entries.map((entry) => entry.key)).toEqual(['key/0']);
    expect(reopened.revision()).toBe(42);
    await reopened.close();
  });
});
