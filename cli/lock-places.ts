import { AppError } from '../core/errors.ts';
import { type KvPair, valueBytes } from './kv-pairs.ts';

/** Who holds a semaphore: the text of its key. */
export interface Holders {
  Limit: number;
  Holders: Record<string, boolean>;
}

/** Mark of Consul's Go client for the keys of a semaphore. */
export const SEMAPHORE_FLAGS = '16210313421097356768';

/** Of a semaphore's keys, those holders whose contender key is still held. @throws AppError `conflict` when it is none. */
export function holdersOf(
  pairs: readonly KvPair[],
  { lockKey, limit }: { readonly lockKey: string; readonly limit: number },
): { holders: Holders; lock: KvPair | undefined } {
  const lock = pairs.find(({ Key }) => Key === lockKey);
  if (!lock) return { holders: { Limit: limit, Holders: {} }, lock };
  if (lock.Flags !== SEMAPHORE_FLAGS) throw conflict(lockKey, 'a semaphore');
  const stored = parseHolders(lock, lockKey);
  const alive = new Set(pairs.filter(({ Key }) => Key !== lockKey).map(({ Session }) => Session));
  const living = Object.keys(stored.Holders).filter((id) => alive.has(id));
  return { holders: { Limit: stored.Limit, Holders: Object.fromEntries(living.map((id) => [id, true])) }, lock };
}

function parseHolders(lock: KvPair, key: string): Holders {
  try {
    const { Limit, Holders = {} } = JSON.parse(valueBytes(lock).toString()) as Partial<Holders>;
    if (typeof Limit === 'number') return { Limit, Holders };
  } catch {
    // Said below.
  }
  throw conflict(key, 'a semaphore');
}

export function conflict(key: string, kind: string): AppError {
  return new AppError('conflict', `${key} holds something else than ${kind}; choose another prefix`);
}
