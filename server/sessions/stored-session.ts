import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { Session } from '../../api/shapes/session.ts';
import type { StoreEntry } from '../../store/store.ts';
import { fields, listOf, maybe, NAME, NUMBER, oneOf, TEXT } from '../catalog/record-shape.ts';
import { createIndexOf, inPlaceOf, modifyIndexOf, type Stored, storedJson, unreadable } from '../catalog/stored.ts';
import type { SessionRecord } from './session-table.ts';

const SESSION = fields({
  id: NAME,
  namespace: NAME,
  content: fields({
    Name: TEXT,
    Node: TEXT,
    LockDelay: NUMBER,
    Behavior: oneOf('release', 'delete'),
    TTL: TEXT,
    NodeChecks: listOf(TEXT),
    ServiceChecks: maybe(listOf(fields({ ID: TEXT, Namespace: maybe(TEXT) }))),
  }),
  deadSinceMs: maybe(NUMBER),
});
/** Consul's, of a session that asks for none. */
const LOCK_DELAY_NS = 15e9;

/** The session that lies under the key `id` of the table. @throws AppError `storeCorrupt` naming the key and the field. */
export function storedSession(id: string, entry: StoreEntry): Stored<SessionRecord> {
  const stored = storedJson<SessionRecord>(entry, SESSION);
  if (stored.record.id === id) return stored;
  throw unreadable(entry, 'id must be that of its key');
}

/** Its JSON form. */
export function sessionShape(stored: Stored<SessionRecord>, base: number): Session {
  const { id, namespace, content } = stored.record;
  return {
    ID: id,
    ...content,
    ...(namespace === DEFAULT_NAMESPACE ? {} : { Namespace: namespace }),
    CreateIndex: createIndexOf(stored, base),
    ModifyIndex: modifyIndexOf(stored, base),
  };
}

/** What is known of a session that cannot be read. It has no TTL: nobody knows how long it was to live. */
export function sessionInPlaceOf(
  id: string,
  before: SessionRecord | undefined,
  entry: StoreEntry,
): Stored<SessionRecord> {
  const content: SessionRecord['content'] = {
    Name: 'the stored session cannot be read: destroy it',
    Node: before?.content.Node ?? '',
    LockDelay: before?.content.LockDelay ?? LOCK_DELAY_NS,
    Behavior: before?.content.Behavior ?? 'release',
    TTL: '',
    NodeChecks: [],
    ServiceChecks: null,
  };
  return inPlaceOf(entry, { id, namespace: before?.namespace ?? DEFAULT_NAMESPACE, content });
}
