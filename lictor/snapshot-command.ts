import { snapshotCommand as make } from '../cli/snapshot.ts';
import { keyOfRest } from '../server/kv/kv-keys.ts';
import { readArchive } from '../server/snapshot/archive.ts';

/** `lictor snapshot`, with the servers' own reader of archives. */
export const snapshotCommand = make({
  readArchive: (path, take) =>
    readArchive(path, ({ key, value }) => {
      const slash = Math.max(0, key.indexOf('/'));
      const kind = key.slice(0, slash);
      const kvKey = kind === 'kv' ? { kvKey: keyOfRest(key.slice(slash + 1)) } : {};
      take({ kind, bytes: Buffer.byteLength(key) + value.byteLength, ...kvKey });
    }),
});
