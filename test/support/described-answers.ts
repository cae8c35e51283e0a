import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';

/** A request and what was answered. */
export interface Exchange {
  readonly method: string;
  /** Path and query, as they were sent. */
  readonly url: string;
  readonly status: number;
  /** In lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Unpacked. */
  readonly body: Buffer;
}

type Json = { readonly [key: string]: unknown };
interface DescribedResponse {
  readonly headers?: Readonly<Record<string, Json>>;
  readonly content?: Readonly<Record<string, { readonly schema: Json }>>;
}
interface DescribedOperation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, Json>>;
  readonly requestBody?: DescribedResponse;
  readonly parameters?: readonly Json[];
}
interface PathPattern {
  readonly template: string;
  readonly pattern: RegExp;
  /** With an empty last parameter, which the routes tell apart. */
  readonly emptyPattern: RegExp;
  readonly operations: Readonly<Record<string, DescribedOperation>>;
}

/** Where our own documents hold schemas. */
const SCHEMAS = '#/components/schemas/';

/** Says how answers differ from an OpenAPI document. Fields that are not described count as a difference. */
export class DescribedAnswers {
  readonly #document: Json;
  readonly #paths: readonly PathPattern[];
  readonly #ajv: Ajv2020;
  readonly #validators = new Map<unknown, ValidateFunction>();
  /** How often each operation was answered with success, by operation id. */
  readonly seen = new Map<string, number>();

  constructor(document: Json) {
    this.#document = document;
    this.#paths = patternsOf(document.paths as PathPattern['operations'][string] & Json);
    this.#ajv = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true, discriminator: true });
    ajvFormats.default(this.#ajv, ['date-time']);
    for (const format of ['uint64']) this.#ajv.addFormat(format, true);
    const { schemas } = document.components as { schemas: Readonly<Record<string, Json>> };
    for (const [name, schema] of Object.entries(schemas)) this.#ajv.addSchema(closed(schema), name);
  }

  /** The operation ids that no exchange has answered with success yet. */
  unseen(): string[] {
    const ids = this.#paths.flatMap(({ operations }) => Object.values(operations).map((one) => one.operationId));
    return ids.filter((id) => !this.seen.has(id)).sort();
  }

  /** Every schema of every operation and component. @throws Error for one that is no strict JSON Schema. */
  compileAll(): void {
    for (const { operations } of this.#paths) {
      for (const { responses, requestBody, parameters = [] } of Object.values(operations)) {
        const contents = [
          ...Object.values(responses).map((one) => this.#resolve(one)),
          requestBody ?? {},
        ] as DescribedResponse[];
        for (const { content = {} } of contents)
          for (const { schema } of Object.values(content)) this.#validatorOf(schema);
        for (const one of parameters) this.#validatorOf((this.#resolve(one) as { schema: Json }).schema);
      }
    }
  }

  /** What is not as described, one line each. */
  problems(exchange: Exchange): string[] {
    const found = this.#operation(exchange);
    const texts = found === undefined ? undescribed(exchange) : this.#compare(exchange, found);
    return texts.map((text) => `${exchange.method} ${exchange.url} ${exchange.status}: ${text}`);
  }

  #operation({ method, url }: Exchange): DescribedOperation | undefined {
    const path = url.split('?')[0]!;
    const key = method.toLowerCase();
    const full = this.#paths.find(({ pattern }) => pattern.test(path));
    const bare = full ?? this.#paths.find(({ emptyPattern }) => emptyPattern.test(path));
    return bare?.operations[key];
  }

  #compare(exchange: Exchange, operation: DescribedOperation): string[] {
    const { status, headers } = exchange;
    if (status === 307 && headers.location !== undefined) return [];
    const response = this.#resolve(operation.responses[status]) as DescribedResponse | undefined;
    if (!response) return [`the status is not described for ${operation.operationId}`];
    if (status < 300) this.seen.set(operation.operationId, (this.seen.get(operation.operationId) ?? 0) + 1);
    return [
      ...this.#headerProblems(headers, response.headers ?? {}),
      ...this.#bodyProblems(exchange, response.content),
    ];
  }

  #headerProblems(headers: Exchange['headers'], described: Readonly<Record<string, Json>>): string[] {
    const problems: string[] = [];
    const known = new Set<string>();
    for (const [name, given] of Object.entries(described)) {
      const header = this.#resolve(given) as { required?: boolean; schema: Json };
      const value = headers[name.toLowerCase()];
      known.add(name.toLowerCase());
      if (value === undefined) {
        if (header.required) problems.push(`the header ${name} is missing`);
        continue;
      }
      const number = header.schema.type === 'integer' ? Number(value) : value;
      problems.push(...this.#schemaProblems(number, header.schema).map((text) => `header ${name}: ${text}`));
    }
    const others = Object.keys(headers).filter((name) => name.startsWith('x-') && !known.has(name));
    return [...problems, ...others.map((name) => `the header ${name} is not described`)];
  }

  #bodyProblems({ status, headers, body }: Exchange, content: DescribedResponse['content']): string[] {
    const type = (headers['content-type'] ?? '').split(';')[0]!;
    // Some failures say nothing; nothing that is done is described with a body and comes without one.
    if (body.length === 0 && (content === undefined || status >= 400)) return [];
    if (content === undefined) return ['the body is not empty, as described'];
    const described = content[type];
    if (!described)
      return [`the type ${type || 'of nothing'} is not described, but ${Object.keys(content).join(' and ')}`];
    let values: unknown[];
    try {
      values = valuesOf(type, body);
    } catch (error) {
      return [`the body is no ${type}: ${String(error)}`];
    }
    return values.flatMap((value) => this.#schemaProblems(value, described.schema));
  }

  #schemaProblems(value: unknown, schema: Json): string[] {
    const validate = this.#validatorOf(schema);
    if (validate(value)) return [];
    return (validate.errors ?? [])
      .slice(0, 4)
      .map((error) => `${error.instancePath || 'the body'} ${error.message} ${JSON.stringify(error.params)}`);
  }

  #validatorOf(schema: Json): ValidateFunction {
    const known = this.#validators.get(schema);
    if (known) return known;
    const validate = this.#ajv.compile(closed(schema));
    this.#validators.set(schema, validate);
    return validate;
  }

  #resolve(value: unknown): unknown {
    const ref = (value as { $ref?: string } | undefined)?.$ref;
    if (ref === undefined) return value;
    return ref
      .slice(2)
      .split('/')
      .reduce<unknown>((at, key) => (at as Json)[key], this.#document);
  }
}

/** What answers to requests that are no operation of the document may be: refusals in Consul's forms. */
function undescribed({ method, url, status, headers }: Exchange): string[] {
  if (status === 307 && headers.location !== undefined) return [];
  if (headers.allow !== undefined) return status === 405 || method === 'OPTIONS' ? [] : ['want 405 beside Allow'];
  if (status === 404 || status === 400) return [];
  return url === '/' || url.startsWith('/?') ? [] : ['no operation is described for it'];
}

/** The most specific first: literal parts before parameters, long paths before short ones. */
function patternsOf(paths: Json): PathPattern[] {
  const rank = (template: string) =>
    template.split('/').length * 100 + template.split('/').filter((part) => part && !part.startsWith('{')).length;
  return Object.entries(paths)
    .sort(([a], [b]) => rank(b) - rank(a))
    .map(([template, operations]) => {
      const inner = template
        .replace(/\/\{\w+\}$/, '')
        .replace(/[.]/g, '\\.')
        .replace(/\{\w+\}/g, '[^/]+');
      const hasRest = template.endsWith('}');
      return {
        template,
        pattern: new RegExp(`^${inner}${hasRest ? '/.+' : ''}$`),
        emptyPattern: new RegExp(`^${inner}${hasRest ? '/?' : ''}$`),
        operations: operations as PathPattern['operations'],
      };
    });
}

function valuesOf(type: string, body: Buffer): unknown[] {
  const text = body.toString();
  if (type === 'application/json') return [JSON.parse(text)];
  if (type === 'application/x-ndjson')
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  return [text];
}

/** Objects take no more than they describe, and references are to schemas of their own. */
function closed(schema: Json): Json {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).map(([key, item]) => {
      if (key === '$ref') return [key, String(item).slice(SCHEMAS.length)];
      // The validator follows a discriminator, but takes no mapping.
      return key === 'discriminator' ? [key, { propertyName: item.propertyName }] : [key, walk(item)];
    });
    const out = Object.fromEntries(entries) as Record<string, unknown>;
    const describes = out.type === 'object' && typeof out.properties === 'object';
    return describes && out.additionalProperties === undefined ? { ...out, additionalProperties: false } : out;
  };
  return walk(schema) as Json;
}
