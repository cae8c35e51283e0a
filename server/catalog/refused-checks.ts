import type { StoreEntry } from '../../store/store.ts';
import type { RecordPlace } from './keys.ts';
import { idOf, namespaceAt } from './packed-records.ts';
import { isObject } from './record-shape.ts';
import type { CheckDefinitionRecord, CheckStateRecord } from './records.ts';
import { openValue, type Stored } from './stored.ts';

/*
 * What the catalog has of a check whose stored half cannot be read: an instance must not pass for want of its check. Its node's
 * agent, or who has declared it, writes it anew with the next full sync.
 */

/** A state half that cannot be read. */
export function stateInPlaceOf({ createRevision, modRevision }: StoreEntry): Stored<CheckStateRecord> {
  return { record: unreadable('state'), createRevision, modRevision };
}

/** A definition that cannot be read; of the node itself where it does not even say of which instance it is. */
export function definitionInPlaceOf(entry: StoreEntry, place: RecordPlace): Stored<CheckDefinitionRecord> {
  const { createRevision, modRevision } = entry;
  const none = { notes: '', type: '', interval: '', timeout: '', exposedPort: 0, owner: '', ref: '', hash: '' };
  const record: CheckDefinitionRecord = {
    ...none,
    node: place.first,
    namespace: namespaceAt(place),
    checkId: idOf(place),
    name: idOf(place),
    serviceId: serviceIdOf(entry),
    definition: {},
    state: unreadable('definition'),
  };
  return { record, createRevision, modRevision };
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
