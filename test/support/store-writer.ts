import { writeSync } from 'node:fs';
import { SystemClock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { SystemRandom } from '../../core/random.ts';
import { openLmdbStore } from '../../store/lmdb/open-lmdb-store.ts';
import { type Op, prefixRange, type Store } from '../../store/store.ts';

/*
 * A process that writes to an LMDB store until it is killed and says on standard output what was acknowledged. Lines
 * are written synchronously, so that nothing that was said is lost with the process.
 *
 *   node store-writer.ts <folder> pairs <writers> <commits>   ready · sent <n> <ms> · ack <n> <ms> · refused <code> <text>
 *   node store-writer.ts <folder> restore                     ready · extra · restored
 */

/** Entries that the restore mode works on; with their values more than one LMDB transaction takes. */
const RESTORE_ENTRIES = 5000;

const [dir = '', mode = '', ...rest] = process.argv.slice(2);

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function put(key: string, value: string): Op {
  return { kind: 'put', key, value: Buffer.from(value) };
}

/** The highest number that a former process has committed. */
async function lastNumber(store: Store): Promise<number> {
  const { entries } = await store.read(prefixRange('a/'));
  return entries.reduce((highest, entry) => Math.max(highest, Number(entry.key.slice(2))), 0);
}

/** Each commit puts a pair, and moves its writer's one mark: whatever part were missing would show. */
async function writePairs(store: Store, writers: number, commits: number): Promise<void> {
  let n = await lastNumber(store);
  const writer = async (w: number): Promise<void> => {
    const marks = (await store.read(prefixRange(`mark/${w}/`))).entries;
    let mark = marks.length > 0 ? Number(marks[0]!.key.split('/')[2]) : 0;
    for (let done = 0; done < commits; done++) {
      const number = ++n;
      say(`sent ${number} ${performance.now()}`);
      const ops = [put(`a/${number}`, `${number}`), put(`b/${number}`, `${number}`)];
      if (mark > 0) ops.push({ kind: 'delete', key: `mark/${w}/${mark}` });
      ops.push(put(`mark/${w}/${number}`, ''));
      mark = number;
      await store.commit({ compares: [], ops });
      say(`ack ${number} ${performance.now()}`);
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, w) => writer(w)));
}

/** Adds an entry and takes it away by restoring a snapshot from before, again and again. */
async function restoreAgainAndAgain(store: Store): Promise<void> {
  for (let i = 0; i < RESTORE_ENTRIES; i += 100) {
    const ops = Array.from({ length: 100 }, (_, j) => put(`entry/${i + j}`, 'x'.repeat(1000)));
    await store.commit({ compares: [], ops });
  }
  await store.commit({ compares: [], ops: [{ kind: 'delete', key: 'extra' }] });
  const snapshot: Uint8Array[] = [];
  for await (const chunk of store.snapshot(new AbortController().signal)) snapshot.push(chunk);
  for (;;) {
    await store.commit({ compares: [], ops: [put('extra', '')] });
    say('extra');
    await store.restore(stream(snapshot));
    say('restored');
  }
}

async function* stream(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, void> {
  yield* chunks;
}

const deps = { clock: new SystemClock(), log: silentLogger, random: new SystemRandom() };
// A small journal is full after some fifty commits, so that kills meet its change of files too.
const small = mode === 'pairs' ? { journalBytes: 16 * 1024 } : {};
const store = await openLmdbStore({ dir, ...deps, ...small });
say('ready');
try {
  if (mode === 'restore') await restoreAgainAndAgain(store);
  else await writePairs(store, Number(rest[0]), Number(rest[1]));
} catch (error) {
  say(`refused ${error instanceof AppError ? error.code : 'unknown'} ${errorText(error)}`);
}
// What a store is still good for after a write has failed.
const again = await store.commit({ compares: [], ops: [put('later', '')] }).catch((error: unknown) => error);
say(`then ${again instanceof AppError ? again.code : 'ok'}`);
say(`read ${(await store.read(prefixRange('a/'))).entries.length} at ${store.revision()}`);
await store.close();
say('closed');
