import type { StoreEntry } from '../../store/store.ts';
import type { OwnerRecord } from './records.ts';
import { inPlaceOf, type Stored } from './stored.ts';

/** A Kubernetes lease, whose transitions are its operator's epochs, counts to 2^31; this leaves a million terms. */
const MOST = 2 ** 31 - 2 ** 20;

/**
 * What the catalog has of an owner whose record cannot be read: the epoch that was known before, else one that is surely no
 * lower. Terms are counted, and each has written its epoch, so that it is no higher than the index of the entry.
 */
export function ownerInPlaceOf(
  entry: StoreEntry,
  before: Stored<OwnerRecord> | undefined,
  base: number,
): Stored<OwnerRecord> {
  if (before) return before;
  return inPlaceOf(entry, { epoch: Math.min(base + entry.modRevision, MOST), isGuess: true });
}
