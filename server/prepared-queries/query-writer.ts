import { checkQuery, type QueryContent } from '../../api/shapes/prepared-query.ts';
import { AppError } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import type { Key } from '../../store/store.ts';
import { type Known, type Plan, PlanBuilder, type PlanSize } from '../catalog/plan.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { StateWriter } from '../catalog/state-writer.ts';
import { type QueryEntry, type QueryRecord, type QueryTable, queryRest } from './query-table.ts';
import { compileTemplate } from './template.ts';

/** The sessions to which queries may be bound; undefined for one that does not exist. */
export interface QuerySessions {
  find(id: string): { readonly key: Key; readonly known: Known } | undefined;
}

export interface QueryWriterDeps {
  readonly state: CatalogState;
  readonly writer: Pick<StateWriter, 'write'>;
  readonly table: QueryTable;
  readonly sessions: QuerySessions;
  readonly random: Pick<Random, 'uuid'>;
}

/** A query, and its name. */
const ENTRIES_OF_QUERY = 2;

/** Creates, changes and removes prepared queries. Refusals have Consul's texts. */
export class QueryWriter {
  readonly #deps: QueryWriterDeps;

  constructor(deps: QueryWriterDeps) {
    this.#deps = deps;
  }

  /** Gives the new id. @throws AppError `badRequest`. */
  async create(content: QueryContent): Promise<string> {
    checkQuery(content);
    const id = this.#deps.random.uuid();
    await this.#deps.writer.write(() => this.#plan({ id, content }, undefined));
    return id;
  }

  /** @throws AppError `badRequest`, also when there is no such query. */
  async update(id: string, content: QueryContent): Promise<void> {
    checkQuery(content);
    await this.#deps.writer.write(() => {
      const entry = this.#existing(id);
      return this.#plan({ id: entry.shape.ID, content }, entry);
    });
  }

  /** @throws AppError `badRequest` when there is no such query. */
  async delete(id: string): Promise<void> {
    await this.#deps.writer.write(() => {
      const plan = new PlanBuilder();
      this.#planRemoval(plan, this.#existing(id));
      return plan.build();
    });
  }

  /** Adds the end of queries that are bound to a session to the plan that ends it; whether all of them fit. */
  planSessionEnd(plan: PlanBuilder, session: string, max: PlanSize): boolean {
    for (const entry of this.#deps.table.ofSession(session)) {
      if (plan.room(max) < ENTRIES_OF_QUERY) return false;
      this.#planRemoval(plan, entry);
    }
    return true;
  }

  #existing(id: string): QueryEntry {
    const entry = this.#deps.table.byId(id);
    if (!entry) throw new AppError('badRequest', `Cannot modify non-existent prepared query: '${id}'`);
    return entry;
  }

  #planRemoval(plan: PlanBuilder, entry: QueryEntry): void {
    const { id, content } = entry.stored.record;
    plan.delete(this.#key(queryRest.id(id)), entry.stored);
    if (hasName(content)) plan.delete(this.#key(queryRest.name(content)), this.#deps.table.name(content));
  }

  #plan(record: QueryRecord, before: QueryEntry | undefined): Plan {
    const { table, sessions } = this.#deps;
    const { id, content } = record;
    const plan = new PlanBuilder();
    if (content.Session !== '') {
      const session = sessions.find(content.Session);
      if (!session) throw refused(`invalid session "${content.Session}"`);
      plan.rely(session.key, session.known);
    }
    checkTemplate(content);
    const old = before?.stored.record.content;
    if (old && hasName(old) && queryRest.name(old) !== queryRest.name(content)) {
      plan.delete(this.#key(queryRest.name(old)), table.name(old));
    }
    if (hasName(content)) {
      const holder = table.name(content);
      // One whose query is gone holds nothing: its query could not be read and was deleted.
      const other = (holder && table.byId(holder.record)) ?? table.named(content);
      if (other && other.shape.ID !== id) throw refused(aliasText(content));
      if (table.byId(content.Name)) throw refused(`name '${content.Name}' aliases an existing query ID`);
      if (holder && holder.record !== id) plan.put(this.#key(queryRest.name(content)), holder, id);
      else if (holder) plan.own(this.#key(queryRest.name(content)), holder);
      else plan.put(this.#key(queryRest.name(content)), undefined, id);
    }
    plan.putChanged(this.#key(queryRest.id(id)), before?.stored, record);
    return plan.build();
  }

  #key(rest: string): Key {
    return this.#deps.state.keys.table(this.#deps.table.segment, rest);
  }
}

/** Templates may have the empty name, a prefix of every name; other queries without a name are found by id only. */
function hasName(content: QueryContent): boolean {
  return content.Name !== '' || content.Template.Type !== '';
}

function aliasText({ Name: name, Template: template }: QueryContent): string {
  return template.Type === ''
    ? `name '${name}' aliases an existing query name`
    : `query template with name '${name}' already exists`;
}

function checkTemplate(content: QueryContent): void {
  if (content.Template.Type === '') return;
  try {
    compileTemplate(content);
  } catch (error) {
    throw error instanceof AppError ? refused(error.message) : error;
  }
}

/** What Consul finds out only when it applies the change. */
function refused(text: string): AppError {
  return new AppError('badRequest', `raft apply failed: ${text}`);
}
