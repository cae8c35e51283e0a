import { AppError } from '../../core/errors.ts';
import type { Key } from '../store.ts';
import type { ContentSum } from './content-digest.ts';
import type { Layout } from './layout.ts';
import { KNOWN_STORE_FILE } from './mismatch.ts';
import type { Content } from './replica.ts';

/** More are counted. */
const NAMED_KEYS = 3;

/**
 * Refuses a content that is not what the servers left, as it was just loaded. `newer`: entries that etcd has changed after
 * the head, as no transaction of a server does. What was written by something else before another head shows by the
 * head's sum alone, if its writer gave one.
 * @throws AppError `storeCorrupt` that says what was found, and how to go on.
 */
export function assertOwnContent(layout: Layout, { head, index, layout: generation }: Content, newer: Key[]): void {
  const { content: left } = head;
  const found = index.digest.sum();
  const fits = left === undefined || index.digest.equals(left);
  if (newer.length === 0 && fits) return;
  const keys = newer.slice(0, NAMED_KEYS).map((key) => JSON.stringify(generation.entry(key).toString()));
  if (newer.length > NAMED_KEYS) keys.push(`${newer.length - NAMED_KEYS} more`);
  const named = keys.join(', ');
  const where = `below etcd's prefix ${layout.prefix} something else than a server`;
  if (left && isWithout(left, { index }, newer)) {
    throw new AppError(
      'storeCorrupt',
      `${where} has added ${named}; the other ${left.entries} entries are whole. Keep others away from the prefix, then ` +
        `remove what was added (etcdctl del) and start the servers. ${others(layout, head.id)}`,
    );
  }
  const what = [
    ...(left && !fits ? [`${counted(found)} are there, where the servers left ${counted(left)}`] : []),
    ...(named ? [`${named} changed after the servers' last transaction`] : []),
  ];
  throw new AppError(
    'storeCorrupt',
    `${where} has written: ${what.join('; ')}. Keep others away from the prefix. ${others(layout, head.id)}`,
  );
}

/** Whether what is left without these keys is what the servers left. The index is of no use afterwards. */
function isWithout(left: ContentSum, { index }: Pick<Content, 'index'>, keys: readonly Key[]): boolean {
  for (const key of keys) index.delete(key);
  return index.digest.equals(left);
}

function counted({ entries, digest }: ContentSum): string {
  return `${entries} entries (digest ${digest})`;
}

function others({ prefix, accept }: Layout, headId: string): string {
  return (
    `To go on with what is there: etcdctl put ${accept} ${headId}, then start the servers. To restore a snapshot: stop them, ` +
    `etcdctl del --prefix ${prefix}, remove ${KNOWN_STORE_FILE} from their data folders, start them, lictor snapshot restore`
  );
}
