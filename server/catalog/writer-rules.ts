import type { WriterIdentity } from '../../api/shapes/registration.ts';
import { AppError } from '../../core/errors.ts';
import type { Key } from '../../store/store.ts';
import type { PlanBuilder } from './plan.ts';
import type { Ownership } from './records.ts';
import type { RefusedRecord } from './refused-records.ts';
import type { CatalogState } from './state.ts';

/** The writer of a request without owner headers: rights alone decide what it may do. */
export const API_WRITER: WriterIdentity = { owner: '', epoch: 0 };

/**
 * Fences an owner's old incarnation: a lower epoch than the one that is stored is refused, a higher one is stored with
 * the write, and also the same where what is stored cannot be read. Where nobody knows what it was, only a new term
 * (`claims`) gets past it. @throws AppError `staleEpoch`, `badRequest` for a malformed owner.
 */
export function checkEpoch(
  state: CatalogState,
  plan: PlanBuilder,
  writer: WriterIdentity,
  options: { readonly claims?: boolean } = {},
): void {
  if (writer.owner === '') return;
  checkOwnerName(writer.owner);
  const stored = state.owner(writer.owner);
  const epoch = stored?.record.epoch ?? 0;
  const key = state.keys.owner(writer.owner);
  if (stored?.record.isGuess && !options.claims) throw unknownEpoch(state, key, writer);
  if (writer.epoch < epoch) {
    throw new AppError(
      'staleEpoch',
      `owner ${writer.owner} has written with epoch ${epoch}; epoch ${writer.epoch} is no longer accepted`,
      { facts: { owner: writer.owner, epoch: writer.epoch, storedEpoch: epoch } },
    );
  }
  if (writer.epoch > epoch || state.refused.get(key)) plan.put(key, stored, { epoch: writer.epoch });
  else plan.rely(key, stored);
}

/** A leader takes it for the end of its term, and claims the next one. */
function unknownEpoch(state: CatalogState, key: Key, { owner, epoch }: WriterIdentity): AppError {
  const why = state.refused.get(key)?.why ?? '';
  return new AppError(
    'staleEpoch',
    `nobody knows the last epoch of owner ${owner}, a new one has to be claimed: ${why}`,
    {
      facts: { owner, epoch },
    },
  );
}

/** @throws AppError `badRequest` unless it is `<kind>/<name>`. */
export function checkOwnerName(owner: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\/[^/\s]{1,253}$/.test(owner)) {
    throw new AppError(
      'badRequest',
      `bad owner ${JSON.stringify(owner)}: want <kind>/<name>, for example agent/node1`,
      {
        facts: { field: 'X-Lictor-Owner' },
      },
    );
  }
}

/** @throws AppError `notOwner` when an owner writes over another owner's entry; entries of the API may be taken over. */
export function mayOverwrite(writer: WriterIdentity, current: Ownership | undefined, what: () => string): void {
  if (writer.owner === '' || !current || current.owner === '' || sameOwner(current.owner, writer.owner)) return;
  throw notOwner(writer, current, what());
}

/**
 * @throws AppError `notOwner` when an owner deletes what is not its own, or, when it says for which declaring object it
 * deletes, what another of its objects has written: that one may have taken the entry over meanwhile.
 */
export function mayDelete(writer: WriterIdentity, current: Ownership, what: string): void {
  if (writer.owner === '') return;
  if (!sameOwner(current.owner, writer.owner)) throw notOwner(writer, current, what);
  if (!writer.ref || writer.ref === current.ref) return;
  throw new AppError(
    'notOwner',
    `${what} belongs to ${current.ref || 'no object'} of ${current.owner}, not to ${writer.ref}`,
    {
      facts: { owner: current.owner, writer: writer.owner },
    },
  );
}

/** @throws AppError `storeCorrupt` when an owner deletes what cannot be read: nobody knows whether it is its own. */
export function mayDeleteUnread(writer: WriterIdentity, { why }: RefusedRecord): void {
  if (writer.owner !== '') throw new AppError('storeCorrupt', why);
}

/**
 * Whom the entry belongs to after the write. The API changes an owner's entry without taking it over: the digest goes,
 * so that the owner sees the difference and asserts again. When the API writes just what is there, or what the owner lets
 * others change, all stays.
 */
export function ownershipAfter(writer: WriterIdentity, current: Ownership | undefined, agreed: boolean): Ownership {
  if (writer.owner === '' && current && current.owner !== '') {
    return { owner: current.owner, ref: current.ref, hash: agreed ? current.hash : '' };
  }
  return { owner: writer.owner, ref: writer.ref ?? '', hash: writer.hash ?? '' };
}

export function sameOwner(a: string, b: string): boolean {
  return a === b || a.toLowerCase() === b.toLowerCase();
}

function notOwner(writer: WriterIdentity, current: Ownership, what: string): AppError {
  const owner = current.owner === '' ? 'the API' : current.owner;
  return new AppError('notOwner', `${what} belongs to ${owner}, not to ${writer.owner}`, {
    facts: { owner: current.owner, writer: writer.owner },
  });
}
