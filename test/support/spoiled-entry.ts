import { entryAt, putRaw } from './full-catalog.ts';
import type { LmdbServer } from './lmdb-server.ts';
import type { RunningServer } from './running-server.ts';

export interface SpoiledEntry {
  /** Whether it becomes wrong while the server runs, or before it starts anew. */
  readonly when: 'watched' | 'loaded';
  /** Its key after the generation. */
  readonly rest: string;
  /** What is stored instead. */
  readonly text: string;
}

/** Puts a wrong record in the place of one; the server that has seen it. */
export async function spoilEntry(lmdb: LmdbServer, { when, rest, text }: SpoiledEntry): Promise<RunningServer> {
  expect(await entryAt(lmdb.store, rest)).toBeDefined();
  await putRaw(lmdb.store, [{ rest, value: Buffer.from(text) }]);
  if (when === 'loaded') return lmdb.restart();
  // A write of its own is shown after it.
  await lmdb.server.call('PUT', '/v1/kv/after', { body: 'x' });
  return lmdb.server;
}
