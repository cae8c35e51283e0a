import { decodeQuery, type PreparedQuery, type QueryContent } from '../../api/shapes/prepared-query.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { SetMap } from '../../core/set-map.ts';
import type { StoreEntry } from '../../store/store.ts';
import { escapePart, unescapePart } from '../catalog/keys.ts';
import type { ApplyContext, StateTable } from '../catalog/state-table.ts';
import { createIndexOf, inPlaceOf, modifyIndexOf, type Stored, storedJson } from '../catalog/stored.ts';
import { QUERY, QUERY_NAME } from './query-shape.ts';
import { type CompiledTemplate, compileTemplate, TEMPLATE_TYPE } from './template.ts';

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
  /** Undefined for a query that is no template, and for one that is broken. */
  readonly template: CompiledTemplate | undefined;
  /** Why it cannot be executed, though it is stored: its template does not compile, or all of it cannot be read. */
  readonly broken?: string;
}

/** Waits for any change of any prepared query. */
export const QUERIES_TOPIC = 'queries';

/** Keys within the table: queries by id, and their names, which have to be unique among queries and among templates. */
export const queryRest = {
  id: (id: string) => `id/${id.toLowerCase()}`,
  name: (content: QueryContent) => `${content.Template.Type === '' ? 'name' : 'template'}/${escapePart(content.Name)}`,
};

/** What is shown of a query of which nothing can be read. */
const NOTHING: QueryContent = decodeQuery(Buffer.from('{}')).content;

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
      const name = storedJson<string>(entry, QUERY_NAME);
      this.#names.set(rest, name);
      this.#nameBroken(name.record, context);
      return;
    }
    const { stored, template } = readQuery(rest, entry);
    this.#keep(stored, { template }, context);
  }

  check(rest: string, entry: StoreEntry): void {
    if (rest.startsWith('id/')) readQuery(rest, entry);
    else storedJson(entry, QUERY_NAME);
  }

  /** It is listed and can be deleted or written anew, but not executed. */
  refuse(rest: string, entry: StoreEntry, why: string, context: ApplyContext): void {
    if (!rest.startsWith('id/')) {
      this.#names.delete(rest);
      return;
    }
    const stored = queryInPlaceOf(rest, entry);
    this.#keep(stored, { template: undefined, broken: why }, context);
    this.#nameBroken(stored.record.id, context);
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

  /** The query that has this name, or the template that has this prefix, whatever the entry of the name says. */
  named({ Name, Template }: QueryContent): QueryEntry | undefined {
    return (Template.Type === '' ? this.#byName : this.#byPrefix).get(Name.toLowerCase());
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

  #keep(stored: Stored<QueryRecord>, how: Pick<QueryEntry, 'template' | 'broken'>, context: ApplyContext): void {
    const { id, content } = stored.record;
    const CreateIndex = createIndexOf(stored, context.base);
    const ModifyIndex = modifyIndexOf(stored, context.base);
    this.#remove(this.#byId.get(id));
    this.#add({ stored, shape: { ID: id, ...content, CreateIndex, ModifyIndex }, ...how });
    context.bump(QUERIES_TOPIC, true);
  }

  /** The name of a query that cannot be read is told by the entry of the name alone, which may come before it or after it. */
  #nameBroken(id: string, context: ApplyContext): void {
    const entry = this.#byId.get(id);
    if (entry?.broken === undefined || entry.stored.record.content !== NOTHING) return;
    for (const [rest, { record }] of this.#names) {
      if (record !== id) continue;
      const Name = unescapePart(rest.slice(rest.indexOf('/') + 1));
      const Type = rest.startsWith('template/') ? TEMPLATE_TYPE : '';
      const content = { ...NOTHING, Name, Template: { ...NOTHING.Template, Type } };
      this.#keep({ ...entry.stored, record: { id, content } }, { template: undefined, broken: entry.broken }, context);
    }
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
    if (isTemplate(entry)) this.#byPrefix.set(name.toLowerCase(), entry);
    else if (name !== '') this.#byName.set(name.toLowerCase(), entry);
    if (session !== '') this.#bySession.add(session, entry);
    if (isTemplate(entry)) this.#countLengths();
  }

  #remove(entry: QueryEntry | undefined): void {
    if (!entry) return;
    const { ID: id, Name: name, Session: session } = entry.shape;
    this.#byId.delete(id);
    const names = isTemplate(entry) ? this.#byPrefix : this.#byName;
    if (names.get(name.toLowerCase()) === entry) names.delete(name.toLowerCase());
    this.#bySession.delete(session, entry);
    if (isTemplate(entry)) this.#countLengths();
  }

  #countLengths(): void {
    this.#lengths = [...new Set([...this.#byPrefix.keys()].map((prefix) => prefix.length))].sort((a, b) => b - a);
  }
}

function isTemplate({ shape }: QueryEntry): boolean {
  return shape.Template.Type !== '';
}

/** A query that can be executed. @throws AppError `storeCorrupt` naming the key. */
function readQuery(rest: string, entry: StoreEntry): Pick<QueryEntry, 'stored' | 'template'> {
  const stored = storedQuery(rest, entry);
  const { content } = stored.record;
  try {
    return { stored, template: content.Template.Type === '' ? undefined : compileTemplate(content) };
  } catch (error) {
    throw unusable(entry, errorText(error));
  }
}

/** A query that is what a query has to be, whether it can be executed or not. @throws AppError `storeCorrupt` naming the key. */
function storedQuery(rest: string, entry: StoreEntry): Stored<QueryRecord> {
  const stored = storedJson<QueryRecord>(entry, QUERY);
  const { id } = stored.record;
  if (queryRest.id(id) === rest) return stored;
  throw unusable(entry, `its id is ${JSON.stringify(id)}, not that of its key`);
}

/** What is known of a query that cannot be executed: all that is stored, or its id alone. */
function queryInPlaceOf(rest: string, entry: StoreEntry): Stored<QueryRecord> {
  try {
    return storedQuery(rest, entry);
  } catch {
    return inPlaceOf(entry, { id: rest.slice('id/'.length), content: NOTHING });
  }
}

function unusable({ key }: StoreEntry, why: string): AppError {
  return new AppError('storeCorrupt', `the entry ${key} cannot be used: ${why}`);
}
