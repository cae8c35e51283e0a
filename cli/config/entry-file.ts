import {
  CONFIG_KINDS,
  checkConfigEntry,
  decodeConfigEntry,
  isConfigKind,
} from '../../api/shapes/config-entry/decode.ts';
import type { ConfigEntry } from '../../api/shapes/config-entry/entry.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { nearest } from '../../core/nearest.ts';
import type { DefinitionFile } from '../definition-file.ts';

/** A configuration entry as a file gives it. */
export interface EntryFile {
  readonly kind: string;
  readonly name: string;
  /** What is sent: as it was written, for the server to read. */
  readonly body: object;
}

/** Reads and checks an entry by the rules that it obeys on its own. @throws AppError `config` naming the file and the key. */
export function entryOf({ name: file, value }: DefinitionFile): EntryFile {
  let entry: ConfigEntry;
  try {
    entry = decodeConfigEntry(value, { guesses: true });
    checkConfigEntry(entry);
  } catch (cause) {
    const text = oneLine(errorText(cause).replace(/^Request decoding failed: /, ''));
    const kind = /^invalid config entry kind: (.*)$/.exec(text)?.[1];
    throw new AppError('config', `${file}: ${text}${kind === undefined ? '' : kindHint(kind)}`, { cause });
  }
  return { kind: entry.Kind, name: entry.Name, body: value };
}

export function isKnownKind(kind: string): boolean {
  return isConfigKind(kind);
}

/** What was meant, or all kinds. */
export function kindHint(kind: string): string {
  const near = kind === '' ? undefined : nearest(kind.toLowerCase(), CONFIG_KINDS);
  return near ? `; did you mean ${near}?` : `; use one of ${CONFIG_KINDS.join(', ')}`;
}

/** Consul's list of errors as the one line that commands print. */
function oneLine(text: string): string {
  const errors = [...text.matchAll(/^\t\* (.*)$/gm)].map(([, error]) => error);
  return errors.length > 0 ? errors.join('; ') : text;
}
