import { COMMON_HEADERS, FAILURES, POSSIBLE_HEADERS, RESPONSE_HEADERS } from './answers.ts';
import type { Answer, Operation, OperationGroup } from './operation.ts';
import { ACL } from './operations/acl.ts';
import { AGENT, AGENT_CHECKS, AGENT_SERVICES } from './operations/agent.ts';
import { CATALOG } from './operations/catalog.ts';
import { COORDINATES, NAMESPACES, OPERATIONS, OWNERS } from './operations/cluster.ts';
import { EVENTS, KV, QUERIES, SESSIONS, TRANSACTIONS } from './operations/data.ts';
import { HEALTH, STREAMS } from './operations/health.ts';
import { INTERNAL } from './operations/internal.ts';
import { CERTIFICATES, CONFIGURATION, INTENTIONS } from './operations/mesh.ts';
import { UI } from './operations/ui.ts';
import { pathParameters, SHARED_PARAMETERS } from './parameters.ts';
import type { JsonSchema } from './schema.ts';
import { AGENT_SCHEMAS } from './schemas/agent.ts';
import { CATALOG_SCHEMAS } from './schemas/catalog.ts';
import { CLUSTER_SCHEMAS } from './schemas/cluster.ts';
import { DATA_SCHEMAS } from './schemas/data.ts';
import { MESH_SCHEMAS } from './schemas/mesh.ts';
import { UI_SCHEMAS } from './schemas/ui.ts';

/** Every endpoint under /v1, in the order in which they are shown. */
export const GROUPS: readonly OperationGroup[] = [
  CATALOG,
  HEALTH,
  STREAMS,
  AGENT,
  AGENT_SERVICES,
  AGENT_CHECKS,
  KV,
  SESSIONS,
  TRANSACTIONS,
  QUERIES,
  EVENTS,
  CERTIFICATES,
  INTENTIONS,
  CONFIGURATION,
  OPERATIONS,
  COORDINATES,
  NAMESPACES,
  OWNERS,
  ACL,
  UI,
  INTERNAL,
];

export const SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  ...CATALOG_SCHEMAS,
  ...AGENT_SCHEMAS,
  ...DATA_SCHEMAS,
  ...MESH_SCHEMAS,
  ...CLUSTER_SCHEMAS,
  ...UI_SCHEMAS,
};

const ABOUT =
  'Lictor’s HTTP API: Consul’s, so that clients written for Consul work unchanged, and additions that say so. Names of fields in ' +
  'request bodies match without regard to case and underscores; unknown ones are refused by name, null means not given. Names of ' +
  'services and nodes match without regard to case. Failures are plain text with a status of docs/errors.md and, where Lictor knows ' +
  'it, the code as X-Lictor-Error. Other methods of a path answer 405, other paths 404. Answers of 1,400 bytes and more are ' +
  'compressed for who takes gzip.';

/** An operation's id: `getCatalogServiceByService`. */
export function operationId({ method, path }: Operation): string {
  const words = path
    .replace(/^\/v1/, '')
    .replace(/\{(\w+)\}/g, 'by-$1')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '');
  return `${method.toLowerCase()}${words.map((word) => `${word[0]!.toUpperCase()}${word.slice(1)}`).join('')}`;
}

/** The OpenAPI 3.1 document of the whole HTTP API. It is made anew each time: who needs it often keeps it. */
export function openApiDocument({ version }: { readonly version: string }): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { name, operations } of GROUPS) {
    for (const operation of operations) {
      const path = paths[operation.path] ?? {};
      paths[operation.path] = path;
      path[operation.method.toLowerCase()] = operationObject(operation, name);
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Lictor', version, description: ABOUT, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    servers: [{ url: '/', description: 'The agent that serves this document.' }],
    security: [{}, { token: [] }, { bearer: [] }],
    tags: GROUPS.map(({ name, about }) => ({ name, description: about })),
    paths,
    components: {
      schemas: SCHEMAS,
      parameters: SHARED_PARAMETERS,
      headers: Object.fromEntries(Object.entries(RESPONSE_HEADERS).map(([name, header]) => [name, header])),
      responses: Object.fromEntries(
        Object.entries(FAILURES).map(([, [name, description]]) => [name, failure(description)]),
      ),
      securitySchemes: {
        token: { type: 'apiKey', in: 'header', name: 'X-Consul-Token', description: 'Taken, and not asked for yet.' },
        bearer: { type: 'http', scheme: 'bearer', description: 'The same token.' },
      },
    },
  };
}

function operationObject(operation: Operation, tag: string): Record<string, unknown> {
  const { summary, about, body, answers, errors, params, path, pathExample } = operation;
  return {
    operationId: operationId(operation),
    tags: [tag],
    summary,
    ...(about ? { description: about } : {}),
    ...(operation.deprecated ? { deprecated: true } : {}),
    parameters: [
      ...pathParameters(path, pathExample),
      ...params.map((one) => (typeof one === 'string' ? { $ref: `#/components/parameters/${one}` } : one)),
    ],
    ...(body
      ? {
          requestBody: {
            required: !body.optional,
            content: {
              [body.type]: { schema: body.schema, ...(body.example === undefined ? {} : { example: body.example }) },
            },
          },
        }
      : {}),
    responses: {
      ...Object.fromEntries(
        Object.entries(errors).map(([status, texts]) => [status, failureOf(Number(status), texts)]),
      ),
      ...Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [status, answerObject(answer, errors[Number(status)])]),
      ),
    },
    ...(operation.destructive ? { 'x-lictor-destructive': operation.destructive } : {}),
    ...(operation.endless ? { 'x-lictor-endless': true } : {}),
  };
}

/** An answer; where a failure has the same status, its text is another form of it. */
function answerObject(answer: Answer, failureTexts: readonly string[] | undefined): Record<string, unknown> {
  const content = { ...answer.content, ...(failureTexts ? { 'text/plain': { type: 'string' } } : {}) };
  const required = failureTexts ? [] : (answer.headers ?? []);
  const optional = [
    ...(failureTexts ? (answer.headers ?? []) : []),
    ...(answer.someHeaders ?? []),
    ...POSSIBLE_HEADERS,
  ];
  return {
    description: answer.description,
    headers: {
      ...Object.fromEntries([...COMMON_HEADERS, ...required].map((name) => [name, requiredHeader(name)])),
      ...Object.fromEntries(optional.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
    },
    ...(Object.keys(content).length > 0
      ? { content: Object.fromEntries(Object.entries(content).map(([type, schema]) => [type, { schema }])) }
      : {}),
  };
}

function requiredHeader(name: string): Record<string, unknown> {
  return { ...RESPONSE_HEADERS[name]!, required: true };
}

function failureOf(status: number, texts: readonly string[]): Record<string, unknown> {
  const [name, description] = FAILURES[status]!;
  if (texts.length === 0) return { $ref: `#/components/responses/${name}` };
  return failure(`${description} Its texts here: ${texts.map((text) => `\`${text}\``).join('; ')}.`);
}

const INDEX_HEADERS = [
  'X-Consul-Index',
  'X-Consul-KnownLeader',
  'X-Consul-LastContact',
  'X-Consul-Effective-Consistency',
];

/** Plain text, or nothing where Consul says nothing. */
function failure(description: string): Record<string, unknown> {
  return {
    description,
    headers: Object.fromEntries(
      [...COMMON_HEADERS, ...POSSIBLE_HEADERS, 'X-Lictor-Error', ...INDEX_HEADERS].map((name) => [
        name,
        { $ref: `#/components/headers/${name}` },
      ]),
    ),
    content: { 'text/plain': { schema: { type: 'string' } } },
  };
}

/** The route that answers an operation, as the server composes it. */
export function routeOf(operation: Operation): string {
  return operation.route ?? operation.path.replace(/\{(\w+)\}/g, ':$1');
}
