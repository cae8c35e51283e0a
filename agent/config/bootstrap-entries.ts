import { checkConfigEntry, decodeConfigEntry } from '../../api/shapes/config-entry/decode.ts';
import type { ConfigEntry } from '../../api/shapes/config-entry/entry.ts';
import { errorText } from '../../core/errors.ts';
import { configError } from './config-text.ts';

const KEY = 'config_entries.bootstrap';
const DECODE_FAILURE = /^Request decoding failed: /;

/** The entries that a server writes where there are none. @throws AppError `config` naming the entry and its field. */
export function bootstrapEntries(definitions: readonly object[]): ConfigEntry[] {
  const seen = new Set<string>();
  return definitions.map((definition, at) => {
    const where = `${KEY}[${at}]`;
    const fail = (text: string) => configError('configuration', where, text);
    let entry: ConfigEntry;
    try {
      entry = decodeConfigEntry(definition, { guesses: true });
      checkConfigEntry(entry);
    } catch (error) {
      throw fail(errorText(error).replace(DECODE_FAILURE, ''));
    }
    const key = `${entry.Kind}/${entry.Name.toLowerCase()}`;
    if (seen.has(key)) throw fail(`${entry.Kind} ${JSON.stringify(entry.Name)} is given twice`);
    seen.add(key);
    return entry;
  });
}
