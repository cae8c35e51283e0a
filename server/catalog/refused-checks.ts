import type { StoreEntry } from '../../store/store.ts';
import type { RecordPlace } from './keys.ts';
import { idOf, namespaceAt } from './packed-records.ts';
import { isObject } from './record-shape.ts';
import type { CheckDefinitionRecord, CheckStateRecord } from './records.ts';
import { inPlaceOf, openValue, type Stored } from './stored.ts';

/*
 * What the catalog has of a check whose stored half cannot be read: an instance must not pass for want of its check. An agent
 * writes its own anew with the next full sync, an operator those of an instance, which it finds without a digest. What others
 * have registered, or what does not say of which instance it is, stays until somebody registers it anew or deletes it.
 */

/** The state in the definition that stands for one that cannot be read, and for no other. */
const UNREAD_DEFINITION: CheckStateRecord = Object.freeze(unreadable('definition'));

/** Whether a definition stands for one that cannot be read. */
export function isUnread({ state }: CheckDefinitionRecord): boolean {
  return state === UNREAD_DEFINITION;
}

/** A state half that cannot be read. */
export function stateInPlaceOf(entry: StoreEntry): Stored<CheckStateRecord> {
  return inPlaceOf(entry, unreadable('state'));
}

/**
 * A definition that cannot be read: whose it is, it says itself, or the one that was known before. Where neither does, it is
 * one of the node itself.
 */
export function definitionInPlaceOf(
  entry: StoreEntry,
  place: RecordPlace,
  before: CheckDefinitionRecord | undefined,
): Stored<CheckDefinitionRecord> {
  const none = { notes: '', type: '', interval: '', timeout: '', exposedPort: 0, owner: '', ref: '', hash: '' };
  return inPlaceOf(entry, {
    ...none,
    node: place.first,
    namespace: namespaceAt(place),
    checkId: idOf(place),
    name: idOf(place),
    ...before,
    // Its declarer sees the difference.
    hash: '',
    serviceId: serviceIdOf(entry) || (before?.serviceId ?? ''),
    definition: {},
    state: UNREAD_DEFINITION,
  });
}

function unreadable(half: string): CheckStateRecord {
  return { status: 'critical', output: `The stored ${half} of this check cannot be read; register the check anew.` };
}

function serviceIdOf({ key, value }: StoreEntry): string {
  try {
    const parsed: unknown = JSON.parse(openValue(key, value).body.toString());
    const record: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
    return isObject(record) && typeof record.serviceId === 'string' ? record.serviceId : '';
  } catch {
    return '';
  }
}
