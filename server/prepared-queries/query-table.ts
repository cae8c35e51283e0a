import type { PreparedQuery, QueryContent } from '../../api/shapes/prepared-query.ts';
import { SetMap } from '../../core/set-map.ts';
import type { StoreEntry } from '../../store/store.ts';
import { escapePart } from '../catalog/keys.ts';
import type { ApplyContext, StateTable } from '../catalog/state-table.ts';
import { createIndexOf, modifyIndexOf, type Stored, storedJson } from '../catalog/stored.ts';
import { type CompiledTemplate, compileTemplate } from './template.ts';

/** A prepared query as it is stored. */
export interface QueryRecord {
  readonly id: string;
  readonly content: QueryContent;
}

/** A prepared query in memory. */
export interface QueryEntry {
  readonly stored: Stored<QueryRecord>;
  /** Its JSON form. */
  readonly shape: PreparedQuery;
  /** Undefined for a query that is no template. */
  readonly template: CompiledTemplate | undefined;
}

/** Waits for any change of any prepared query. */
export const QUERIES_TOPIC = 'queries';

/** Keys within the table: queries by id, and their names, which have to be unique among queries and among templates. */
export const queryRest = {
  id: (id: string) => `id/${id.toLowerCase()}`,
  name: (content: QueryContent) => `${content.Template.Type === '' ? 'name' : 'template'}/${escapePart(content.Name)}`,
};

/** All prepared queries, found by id, by name, or by the longest prefix that a template has. */
export class QueryTable implements StateTable {
  readonly segment = 'query';
  readonly #byId = new Map<string, QueryEntry>();
  /** Ids by the key of their name. */
  readonly #names = new Map<string, Stored<string>>();
  readonly #byName = new Map<string, QueryEntry>();
  readonly #byPrefix = new Map<string, QueryEntry>();
  readonly #bySession = new SetMap<string, QueryEntry>();
  /** Of the prefixes, longest first: a lookup tries one map per length, however many templates there are. */
  #lengths: number[] = [];

  put(rest: string, entry: StoreEntry, context: ApplyContext): void {
    if (!rest.startsWith('id/')) {
      this.#names.set(rest, storedJson<string>(entry));
      return;
    }
    const stored = storedJson<QueryRecord>(entry);
    const { id, content } = stored.record;
    const indexes = {
      CreateIndex: createIndexOf(stored, context.base),
      ModifyIndex: modifyIndexOf(stored, context.base),
    };
    this.#remove(this.#byId.get(id));
    this.#add({
      stored,
      shape: { ID: id, ...content, ...indexes },
      template: content.Template.Type === '' ? undefined : compileTemplate(content),
    });
    context.bump(QUERIES_TOPIC, true);
  }

  delete(rest: string, context: ApplyContext): void {
    if (!rest.startsWith('id/')) {
      this.#names.delete(rest);
      return;
    }
    this.#remove(this.#byId.get(rest.slice('id/'.length)));
    context.bump(QUERIES_TOPIC, this.#byId.size > 0);
  }

  clear(): void {
    for (const map of [this.#byId, this.#names, this.#byName, this.#byPrefix, this.#bySession]) map.clear();
    this.#lengths = [];
  }

  /** By id. */
  list(): PreparedQuery[] {
    return [...this.#byId.values()].map(({ shape }) => shape).sort((a, b) => (a.ID < b.ID ? -1 : 1));
  }

  byId(id: string): QueryEntry | undefined {
    return this.#byId.get(id.toLowerCase());
  }

  /** Who holds the name of this query. */
  name(content: QueryContent): Stored<string> | undefined {
    return this.#names.get(queryRest.name(content));
  }

  ofSession(session: string): Iterable<QueryEntry> {
    return this.#bySession.get(session);
  }

  /** By id, else by name, else the template with the longest prefix. */
  find(idOrName: string): QueryEntry | undefined {
    const lower = idOrName.toLowerCase();
    return this.#byId.get(lower) ?? this.#byName.get(lower) ?? this.#byLongestPrefix(lower);
  }

  #byLongestPrefix(name: string): QueryEntry | undefined {
    for (const length of this.#lengths) {
      if (length > name.length) continue;
      const found = this.#byPrefix.get(name.slice(0, length));
      if (found) return found;
    }
    return undefined;
  }

  #add(entry: QueryEntry): void {
    const { ID: id, Name: name, Session: session } = entry.shape;
    this.#byId.set(id, entry);
    if (entry.template) this.#byPrefix.set(name.toLowerCase(), entry);
    else if (name !== '') this.#byName.set(name.toLowerCase(), entry);
    if (session !== '') this.#bySession.add(session, entry);
    if (entry.template) this.#countLengths();
  }

  #remove(entry: QueryEntry | undefined): void {
    if (!entry) return;
    const { ID: id, Name: name, Session: session } = entry.shape;
    this.#byId.delete(id);
    const names = entry.template ? this.#byPrefix : this.#byName;
    if (names.get(name.toLowerCase()) === entry) names.delete(name.toLowerCase());
    this.#bySession.delete(session, entry);
    if (entry.template) this.#countLengths();
  }

  #countLengths(): void {
    this.#lengths = [...new Set([...this.#byPrefix.keys()].map((prefix) => prefix.length))].sort((a, b) => b - a);
  }
}
