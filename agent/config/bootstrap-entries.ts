import { checkConfigEntry, decodeConfigEntry } from '../../api/shapes/config-entry/decode.ts';
import type { ConfigEntry } from '../../api/shapes/config-entry/entry.ts';
import { errorText } from '../../core/errors.ts';
import { type Declared, type DeclaredReader, declaredError } from './declared.ts';

const DECODE_FAILURE = /^Request decoding failed: /;

/** The entries that a server writes where there are none. `reader` keeps what is wrong, naming file, entry and field. */
export function bootstrapEntries(reader: DeclaredReader, definitions: readonly Declared[]): ConfigEntry[] {
  const seen = new Set<string>();
  return reader.each(definitions, (one) => {
    const fail = (text: string) => declaredError(one, text);
    let entry: ConfigEntry;
    try {
      entry = decodeConfigEntry(one.value, { guesses: true });
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
