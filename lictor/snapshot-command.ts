import { snapshotCommand as make } from '../cli/snapshot.ts';
import { readArchive } from '../server/snapshot/archive.ts';

/** `lictor snapshot`, with the servers' own reader of archives. */
export const snapshotCommand = make({
  readArchive: (path, take) =>
    readArchive(path, ({ key, value }) =>
      take(key.slice(0, Math.max(0, key.indexOf('/'))), Buffer.byteLength(key) + value.byteLength),
    ),
});
