import { readConfigEntry } from '../../api/shapes/config-entry/decode.ts';
import type { ConfigEntry } from '../../api/shapes/config-entry/entry.ts';
import { errorText } from '../../core/errors.ts';
import type { StoreEntry } from '../../store/store.ts';
import { unescapePart } from '../catalog/keys.ts';
import { fields, isObject, listOf, NAME, oneOf, type Shape, shapeProblem } from '../catalog/record-shape.ts';
import { sameRecord } from '../catalog/records.ts';
import { type Stored, storedJson, unreadable } from '../catalog/stored.ts';

/** What an entry that cannot be read says of itself where it is shown, under a key of its Meta. */
const UNREADABLE = 'lictor-unreadable';
/** Meta holds no longer values. */
const MAX_META = 512;

const ENTRY = fields({ Kind: NAME, Name: NAME });
const ACTION = oneOf('allow', 'deny');
/** An intention that nothing can be read of must not be taken for none. */
const SOURCE: Shape = (source) => {
  if (!isObject(source)) return ' must be an object';
  const { Name, Action, Permissions } = source;
  if (NAME(Name) !== undefined) return `.Name${NAME(Name)}`;
  if (Array.isArray(Permissions) && Permissions.length > 0) return undefined;
  return ACTION(Action) && `.Action${ACTION(Action)}`;
};
const SOURCES = listOf(SOURCE);
const INTENTIONS: Shape = (entry) => {
  const { Sources } = entry as { Sources?: unknown };
  const problem = Array.isArray(Sources) && Sources.length === 0 ? ' must have a member' : SOURCES(Sources);
  return problem && `.Sources${problem}`;
};

/** The entry that lies under the key `rest` of the table. @throws AppError `storeCorrupt` naming the key and the field. */
export function storedEntry(
  rest: string,
  restOf: (entry: ConfigEntry) => string,
  entry: StoreEntry,
): Stored<ConfigEntry> {
  const stored = storedJson<ConfigEntry>(entry, ENTRY);
  const { record } = stored;
  const problem = record.Kind === 'service-intentions' ? shapeProblem(record, INTENTIONS) : undefined;
  if (problem !== undefined) throw unreadable(entry, problem);
  let read: ConfigEntry;
  try {
    read = readConfigEntry(record);
  } catch (error) {
    throw unreadable(entry, errorText(error));
  }
  if (restOf(read) !== rest) throw unreadable(entry, `it is ${read.Kind}/${read.Name}, which its key does not say`);
  // As it was written wherever that says the same: its hash follows from the order of its fields.
  return sameRecord(read, record) ? stored : { ...stored, record: read };
}

/**
 * What holds in the place of an entry that cannot be read, with what is wrong in its Meta: nobody may connect where it is an
 * intention; else what it was before, or one that says nothing. Undefined where the key names no entry.
 */
export function entryInPlaceOf(rest: string, before: ConfigEntry | undefined, why: string): ConfigEntry | undefined {
  const [, kind, name] = rest.split('/');
  const Meta = { ...before?.Meta, [UNREADABLE]: why.slice(0, MAX_META) };
  try {
    const given = { Kind: kind, Name: before?.Name ?? unescapePart(name ?? '') };
    if (kind === 'service-intentions')
      return readConfigEntry({ ...given, Sources: [{ Name: '*', Action: 'deny' }], Meta });
    if (before) return { ...before, Meta };
    const Splits = kind === 'service-splitter' ? { Splits: [{ Weight: 100 }] } : {};
    return readConfigEntry({ ...given, ...Splits, Meta });
  } catch {
    return undefined;
  }
}
