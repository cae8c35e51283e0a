import { type CatalogKeys, type RecordKind, recordKinds, segmentOf } from './keys.ts';
import type { StateTable } from './state-table.ts';

/** What the keys with a prefix are: records of a kind, or entries of a table. */
export type Home =
  | { readonly prefix: string; readonly kind: RecordKind; readonly table?: undefined }
  | { readonly prefix: string; readonly table: StateTable };

/** Where the keys of one generation belong. */
export class KeyHomes {
  readonly #homes: readonly Home[];
  /** Of the last key: several in a row are often of one kind. */
  #last: Home | undefined;

  constructor(keys: CatalogKeys, tables: Iterable<readonly [string, StateTable]>) {
    const prefixOf = (segment: string) => keys.tableRange(segment).start;
    const records = recordKinds().map((kind): Home => ({ prefix: prefixOf(segmentOf(kind)), kind }));
    this.#homes = [...records, ...[...tables].map(([segment, table]): Home => ({ prefix: prefixOf(segment), table }))];
  }

  /** Undefined for any other key. */
  of(key: string): Home | undefined {
    if (this.#last && key.startsWith(this.#last.prefix)) return this.#last;
    this.#last = this.#homes.find(({ prefix }) => key.startsWith(prefix));
    return this.#last;
  }
}
