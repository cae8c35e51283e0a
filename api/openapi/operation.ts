import type { Route } from '../http/route.ts';
import { type Parameter, SHARED_PARAMETERS, type SharedParameter } from './parameters.ts';
import { type JsonSchema, orNull } from './schema.ts';

/** One kind of answer to a request. Without `content` its body is empty. */
export interface Answer {
  readonly description: string;
  /** Schemas by media type. */
  readonly content?: Readonly<Record<string, JsonSchema>>;
  /** Names of `RESPONSE_HEADERS`; all of them are always there. */
  readonly headers?: readonly string[];
  /** Names of `RESPONSE_HEADERS` that may be there. */
  readonly someHeaders?: readonly string[];
}

/** A body that a request has, or may have. */
export interface RequestBody {
  readonly type: string;
  readonly schema: JsonSchema;
  readonly optional?: true;
  readonly example?: unknown;
}

/** One endpoint and method, as the document and the page of the API describe it. */
export interface Operation {
  readonly method: Route['method'];
  /** In OpenAPI's form: `/v1/kv/{key}`. */
  readonly path: string;
  /** The route that answers it, where that is not the path with `:name` for `{name}`. */
  readonly route?: string;
  readonly summary: string;
  /** What the summary does not say: whole sentences. */
  readonly about?: string;
  readonly params: readonly (SharedParameter | Parameter)[];
  readonly body?: RequestBody;
  /** Answers that are no failure, by status. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Statuses of failures, each with the texts that are its own. */
  readonly errors: Readonly<Record<number, readonly string[]>>;
  /** Values of path parameters in examples. */
  readonly pathExample?: Readonly<Record<string, string>>;
  /** The query of the example, without `?`. */
  readonly queryExample?: string;
  readonly deprecated?: true;
  /** Why programs that try requests at random should leave it alone. */
  readonly destructive?: string;
  /** The answer ends when one of both sides ends it. */
  readonly endless?: true;
}

/** Operations that belong together, in the order in which they are shown. */
export interface OperationGroup {
  readonly name: string;
  /** What they are about; also which part of Consul's documentation they follow. */
  readonly about: string;
  readonly operations: readonly Operation[];
}

type Given = Partial<Omit<Operation, 'method' | 'path' | 'summary' | 'answers'>> & {
  /** The JSON of status 200. */
  readonly json?: JsonSchema;
  readonly answers?: Operation['answers'];
};

/** What every read of the servers' data takes. */
const READ_PARAMETERS: readonly SharedParameter[] = [
  'dc',
  'index',
  'wait',
  'stale',
  'consistent',
  'maxStale',
  'cached',
];
const NAMESPACE: readonly SharedParameter[] = ['ns', 'nsHeader'];
const READ_HEADERS = ['X-Consul-Index', 'X-Consul-KnownLeader', 'X-Consul-LastContact'];
const READ_ERRORS = { 400: [], 403: [], 429: [], 500: [], 503: [] };
const WRITE_ERRORS = { 400: [], 403: [], 409: [], 413: [], 429: [], 500: [], 503: [] };

/**
 * A read that can block: it takes the parameters of consistency and waiting, and tells its index. The headers that not
 * every such read has (its consistency, whether it came from the cache) are optional.
 */
export function read(path: string, summary: string, given: Given): Operation {
  const { json, answers, params = [], errors = {}, ...rest } = given;
  return {
    method: 'GET',
    path,
    summary,
    ...rest,
    params: [...params, ...READ_PARAMETERS, 'pretty'],
    answers: withJson(json && indexed(ok(json)), answers),
    errors: { ...READ_ERRORS, ...errors },
  };
}

/** A read of one namespace. */
export function namespaced(path: string, summary: string, given: Given): Operation {
  const operation = read(path, summary, given);
  return { ...operation, params: [...(given.params ?? []), ...NAMESPACE, ...READ_PARAMETERS, 'pretty'] };
}

/** Any other request; `json` is the answer of status 200. */
export function plain(method: Operation['method'], path: string, summary: string, given: Given): Operation {
  const { json, answers, params = [], errors = {}, ...rest } = given;
  const failures = method === 'GET' ? READ_ERRORS : WRITE_ERRORS;
  return {
    method,
    path,
    summary,
    ...rest,
    params: [...params, ...(json ? (['pretty'] as const) : [])],
    answers: withJson(json && ok(json), answers),
    errors: { ...failures, ...errors },
  };
}

function withJson(answer: Answer | undefined, others: Operation['answers'] = {}): Operation['answers'] {
  return answer ? { 200: answer, ...others } : others;
}

/** An answer of JSON. */
export function ok(schema: JsonSchema, description = 'Done.'): Answer {
  return { description, content: { 'application/json': schema } };
}

/** An answer without a body. */
export function empty(description = 'Done; the answer is empty.'): Answer {
  return { description };
}

/** Adds the headers of a read that can block. */
export function indexed(answer: Answer): Answer {
  return {
    ...answer,
    headers: [...READ_HEADERS, ...(answer.headers ?? [])],
    someHeaders: ['X-Consul-Effective-Consistency', 'X-Consul-Query-Backend', 'X-Cache', 'Age'],
  };
}

/** A body of JSON; null asks for the same as an object without fields, where none is needed. */
export function jsonBody(given: JsonSchema, example?: unknown): RequestBody {
  const schema = given.type === undefined || given.required !== undefined ? given : orNull(given);
  return { type: 'application/json', schema, ...(example === undefined ? {} : { example }) };
}

/** The parameters in full. */
export function parametersOf(operation: Operation): Parameter[] {
  return operation.params.map((one) => (typeof one === 'string' ? SHARED_PARAMETERS[one] : one));
}
