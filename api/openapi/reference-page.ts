import { FAILURES, RESPONSE_HEADERS } from './answers.ts';
import { GROUPS, SCHEMAS } from './document.ts';
import { type Answer, type Operation, type OperationGroup, parametersOf } from './operation.ts';
import { type Parameter, pathParameters, SHARED_PARAMETERS, type SharedParameter } from './parameters.ts';
import type { JsonSchema } from './schema.ts';

const ORIGIN = 'http://127.0.0.1:8500';
/** Parameters that are told once instead of with each endpoint, in this order. */
const COMMON: readonly SharedParameter[] = [
  'dc',
  'ns',
  'nsHeader',
  'index',
  'wait',
  'stale',
  'consistent',
  'maxStale',
  'cached',
  'filter',
  'tag',
  'nodeMeta',
  'near',
  'passing',
  'peer',
  'merge',
  'cas',
  'pretty',
];

/** docs/http-endpoints.md, from the tables that the OpenAPI document is made of. */
export function referencePage(): string {
  return `# HTTP API

Made from the descriptions in \`api/openapi/\` by \`make api-docs\`; do not edit. Every agent serves the same as an OpenAPI 3.1
document, with the schemas of all bodies: \`curl ${ORIGIN}/v1/openapi.json\`.

The API is Consul's, so that clients written for Consul work unchanged; [consul-differences.md](consul-differences.md) lists
what differs, and additions of Lictor's own are marked. [http-api.md](http-api.md) tells how the API is served: HTTPS, limits,
who may ask what. Values in paths are percent-encoded. In bodies names of fields match
without regard to case and underscores, unknown ones are refused by name, and null means not given.

Failures are plain text. Every endpoint can answer:

| Status | Meaning |
| --- | --- |
${Object.entries(FAILURES)
  .filter(([status]) => [400, 403, 405, 413, 429, 500, 503].includes(Number(status)))
  .map(([status, [, meaning]]) => `| ${status} | ${meaning} |\n`)
  .join('')}
The header \`X-Lictor-Error\` has the code of [errors.md](errors.md) where Lictor knows it. A token is taken as
\`X-Consul-Token\` or \`Authorization: Bearer\`, and not asked for yet.

## Shared parameters

| Name | Where | Meaning |
| --- | --- | --- |
${COMMON.map((name) => parameterRow(SHARED_PARAMETERS[name])).join('')}
## Headers of answers

| Name | Meaning |
| --- | --- |
${Object.entries(RESPONSE_HEADERS)
  .map(([name, { description }]) => `| \`${name}\` | ${cell(description)} |\n`)
  .join('')}
${GROUPS.map(section).join('')}## Objects

The objects in the bodies above. A field with \`?\` may be missing.

${Object.entries(SCHEMAS).map(objectSection).join('')}`;
}

function objectSection([name, schema]: [string, JsonSchema]): string {
  const { properties, required = [] } = schema as ObjectSchema;
  if (!properties) return `### ${name}\n\n${sentence(`${schema.description ?? ''}`)}${upper(shapeOf(schema))}.\n\n`;
  const rows = Object.entries(properties).map(([field, of]) => {
    const mark = required.includes(field) ? '' : '?';
    return `| \`${field}${mark}\` | ${cell(shapeOf(of))} | ${cell(String(of.description ?? ''))} |\n`;
  });
  const about = schema.description === undefined ? '' : `${String(schema.description)}\n\n`;
  return `### ${name}\n\n${about}| Field | Value | Meaning |\n| --- | --- | --- |\n${rows.join('')}\n`;
}

function sentence(text: string): string {
  return text === '' ? '' : `${text} `;
}

function upper(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}`;
}

function section({ name, about, operations }: OperationGroup): string {
  const rows = operations.map((one) => `| \`${one.method}\` | \`${one.path}\` | ${cell(one.summary)} |\n`);
  // What all answer alike needs no more than the table.
  const alike = operations.every((one) => Object.keys(one.answers).length === 0);
  return `## ${name}

${about}

| Method | Path | |
| --- | --- | --- |
${rows.join('')}
${alike ? '' : operations.map(endpoint).join('')}`;
}

function endpoint(operation: Operation): string {
  const { method, path, summary, about, answers, errors, destructive } = operation;
  const shared = operation.params.filter((one): one is SharedParameter => COMMON.includes(one as SharedParameter));
  const own = parametersOf(operation).filter((_, at) => !COMMON.includes(operation.params[at] as SharedParameter));
  const marks = [operation.deprecated ? 'Deprecated.' : '', destructive ? `Beware: ${destructive}.` : ''];
  const texts = [`${summary}${/[.!?]$/.test(summary) ? '' : '.'}`, about ?? '', ...marks].filter((one) => one !== '');
  const parameters = [...pathParameters(path), ...own];
  const failures = Object.entries(errors).flatMap(([status, own]) => own.map((text) => `${status} \`${text}\``));
  return `### ${method} ${path}

${texts.join(' ')}

\`\`\`console
$ ${example(operation)}
\`\`\`

${parameters.length > 0 ? `| Parameter | Where | Meaning |\n| --- | --- | --- |\n${parameters.map(parameterRow).join('')}\n` : ''}${
  shared.length > 0
    ? `Shared: ${shared
        .map((one) => `\`${SHARED_PARAMETERS[one].name}\``)
        .filter(once)
        .join(', ')}.\n\n`
    : ''
}${bodyLine(operation.body)}${Object.entries(answers).map(answerLine).join('')}${failures.length > 0 ? `- Failures of its own: ${failures.join('; ')}.\n` : ''}
`;
}

/** What a request's body is; of an object the names of its fields. */
function bodyLine(body: Operation['body']): string {
  if (!body) return '';
  const { properties, required = [] } = body.schema as ObjectSchema;
  const names = Object.keys(properties ?? {}).map((name) => `\`${name}\`${required.includes(name) ? ' (needed)' : ''}`);
  const what = properties ? `object of ${names.join(', ')}` : shapeOf(body.schema);
  return `- Body${body.optional ? ' (may be left out)' : ''}: \`${body.type}\`, ${what}.\n`;
}

function answerLine([status, { description, content, headers = [] }]: [string, Answer]): string {
  const forms = Object.entries(content ?? {}).map(([type, schema]) => `\`${type}\`, ${shapeOf(schema)}`);
  const named = headers.length > 0 ? ` Headers: ${headers.map((name) => `\`${name}\``).join(', ')}.` : '';
  const words = description === 'Done.' && forms.length > 0 ? '' : ` ${description}`;
  return `- ${status}:${words}${forms.length > 0 ? ` ${forms.join('; or ')}.` : ''}${named}\n`;
}

interface ObjectSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly const?: unknown;
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'whole number',
  number: 'number',
  boolean: 'true or false',
  null: 'null',
};

/** A line about a schema: its name, or its kind. */
function shapeOf(schema: JsonSchema): string {
  const { $ref, type, items, additionalProperties, anyOf, oneOf, properties, const: constant } = schema as ObjectSchema;
  const choices = (schema as ObjectSchema).enum;
  if ($ref) return `[${$ref.split('/').at(-1)}](#${$ref.split('/').at(-1)!.toLowerCase()})`;
  if (constant !== undefined) return `\`${JSON.stringify(constant)}\``;
  if (choices) return choices.map((value) => `\`${String(value)}\``).join(', ');
  if (anyOf ?? oneOf) return (anyOf ?? oneOf)!.map(shapeOf).join(' or ');
  if (Array.isArray(type)) return type.map((one) => shapeOf({ ...schema, type: one as string })).join(' or ');
  if (type === 'array') return `list of ${shapeOf(items ?? {})}`;
  if (properties && Object.keys(properties).length > 0) {
    return `object of ${Object.entries(properties)
      .map(([name, of]) => `\`${name}\` (${shapeOf(of)})`)
      .join(', ')}`;
  }
  if (typeof additionalProperties === 'object') return `object with values of ${shapeOf(additionalProperties)}`;
  return KINDS[String(type)] ?? (type === 'object' ? 'object' : 'anything');
}

function parameterRow(one: Parameter): string {
  const where = { query: 'query', path: 'path', header: 'header' }[one.in];
  const values = (one.schema.enum as readonly string[] | undefined)?.filter((value) => value !== '') ?? [];
  const choices = values.length > 1 ? ` One of ${values.map((value) => `\`${value}\``).join(', ')}.` : '';
  const needed = one.required && one.in !== 'path' ? ' Needed.' : '';
  return `| \`${one.name}\` | ${where} | ${cell(`${one.description}${choices}${needed}`)} |\n`;
}

/** A request that a shell can send as it is. */
export function example({ method, path, pathExample, queryExample, body, endless }: Operation): string {
  const flags = [method === 'GET' ? '' : `-X ${method}`, endless ? '-N' : '', bodyFlag(body?.example)];
  const url = `${ORIGIN}${examplePath({ path, pathExample, queryExample })}`;
  return `curl ${flags.filter((one) => one !== '').join(' ')}${flags.some((one) => one !== '') ? ' ' : ''}'${url}'`;
}

/** Path and query of an operation's example. */
export function examplePath(operation: Pick<Operation, 'path' | 'pathExample' | 'queryExample'>): string {
  const values = new Map(
    pathParameters(operation.path, operation.pathExample).map(({ name, example: value }) => [name, String(value)]),
  );
  const filled = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => values.get(name) ?? '');
  return operation.queryExample ? `${filled}?${operation.queryExample}` : filled;
}

function bodyFlag(body: unknown): string {
  if (body === undefined) return '';
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return `-d '${text.replaceAll("'", "'\\''")}'`;
}

function once<T>(value: T, at: number, all: readonly T[]): boolean {
  return all.indexOf(value) === at;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
