import { bool, count, duration, type JsonSchema, listOf, text } from './schema.ts';

/** A parameter of a request, in OpenAPI's form. */
export interface Parameter {
  readonly name: string;
  readonly in: 'query' | 'path' | 'header';
  readonly description: string;
  readonly required?: true;
  readonly allowEmptyValue?: true;
  readonly schema: JsonSchema;
  readonly example?: unknown;
}

/** A query parameter of one endpoint. */
export function query(name: string, schema: JsonSchema, description: string): Parameter {
  return { name, in: 'query', description, schema };
}

/** A query parameter without which there is no answer. */
export function needed(name: string, schema: JsonSchema, description: string, example: unknown): Parameter {
  return { ...query(name, schema, description), required: true, example };
}

/** Counts when it is there, whatever its value. */
export function present(name: string, description: string): Parameter {
  return { ...query(name, text(), `${description} Counts when it is present.`), allowEmptyValue: true };
}

/** Counts when it is there alone, or with a value that means true. */
export function flag(name: string, description: string): Parameter {
  return { ...query(name, bool(), description), allowEmptyValue: true };
}

/** May be given several times. */
export function repeated(name: string, description: string, example: unknown): Parameter {
  return { ...query(name, listOf(text()), `${description} May be repeated.`), example };
}

/** A request header of one endpoint. */
export function header(name: string, schema: JsonSchema, description: string): Parameter {
  return { name, in: 'header', description, schema };
}

/** Query parameters and headers that several endpoints have, by the name under which operations list them. */
export const SHARED_PARAMETERS = {
  dc: query('dc', text(), 'The datacenter that is asked; there is one. `datacenter` says the same.'),
  ns: query('ns', text(), 'The namespace; `default` when not given. Wins over the header `X-Consul-Namespace`.'),
  anyNs: query('ns', text(), 'The namespace; `*` for all, `default` when not given.'),
  nsHeader: header('X-Consul-Namespace', text(), 'The namespace, where `ns` is not given.'),
  index: query(
    'index',
    count(),
    'The X-Consul-Index of an earlier answer: the request waits until there is something newer (a blocking query).',
  ),
  wait: query('wait', duration(), 'How long a blocking query waits at most; 5m when not given, 10m at most.'),
  stale: present('stale', 'Any server may answer.'),
  consistent: present(
    'consistent',
    'The leader makes sure that it still leads. Not together with `stale` or `cached`.',
  ),
  maxStale: query('max_stale', duration(), 'Like `stale`, unless the answer would be older than this.'),
  cached: present('cached', 'An answer that is kept fresh beforehand will do; see the headers X-Cache and Age.'),
  filter: query('filter', text(), 'An expression in Consul’s filter language that the rows have to fulfil.'),
  nodeMeta: repeated('node-meta', '`key:value` that the node has to carry.', ['zone:a']),
  tag: repeated('tag', 'A tag that the instance has to carry.', ['v1']),
  near: query(
    'near',
    text(),
    'Nearest first, as seen from this node; `_agent` for the node of the agent that is asked.',
  ),
  passing: flag('passing', 'Only instances whose checks all pass.'),
  merge: flag(
    'merge-central-config',
    'Proxies and gateways with what `proxy-defaults` and `service-defaults` say of them.',
  ),
  peer: query('peer', text(), 'A peer’s name. Nothing is imported from peers: the answer is empty.'),
  pretty: present('pretty', 'JSON with line breaks.'),
  cas: query(
    'cas',
    { type: 'integer', minimum: 0 },
    'Only while the ModifyIndex is this one; 0: only while there is none.',
  ),
  owner: header('X-Lictor-Owner', text(), 'Who writes, as `kind/name`; the API itself when not given.'),
  epoch: header('X-Lictor-Epoch', count(), 'The owner’s epoch: a deposed writer is refused.'),
  ref: header(
    'X-Lictor-Ref',
    text(),
    'The object of `X-Lictor-Owner` that declares what is written; of what it removes only what it has written. ' +
      'Refused without an owner.',
  ),
  hash: header('X-Lictor-Hash', text(), 'A digest of what was declared, kept with the instance.'),
  agent: header('X-Lictor-Agent', text(), 'The node (percent-encoded) whose agent handed the request on.'),
} as const satisfies Record<string, Parameter>;

export type SharedParameter = keyof typeof SHARED_PARAMETERS;

/** Path parameters: what they are, and a value for examples. */
const PATH_PARAMETERS: Readonly<Record<string, readonly [description: string, example: string]>> = {
  address: ['`host`, or `host:port`.', '127.0.0.1:8301'],
  checkId: ['The id of a check of this agent.', 'node-alive'],
  gateway: ['The name of a gateway’s service.', 'gateway'],
  id: ['An id.', '11111111-2222-4333-8444-555555555555'],
  key: ['A key, or with `recurse` and `keys` a prefix; it may hold slashes, and a prefix may be empty.', 'app/config'],
  kind: ['The kind of a configuration entry.', 'service-defaults'],
  metricsPath: ['A path below the configured place.', 'api/v1/query'],
  name: ['A name.', 'web'],
  node: ['The name of a node.', 'node-1'],
  ownerKind: ['The kind of an owner.', 'k8s'],
  ownerName: ['The name of an owner.', 'cluster-1'],
  query: ['The id or name of a prepared query, or a name that fits a template.', 'web-near'],
  service: ['The name of a service.', 'web'],
  serviceId: ['The id of a service instance of this agent.', 'web-1'],
  state: ['`passing`, `warning`, `critical`, or `any`.', 'passing'],
  token: ['Which token.', 'default'],
};

/** The parameters of a path's `{names}`; an operation may give its own example. */
export function pathParameters(path: string, examples: Readonly<Record<string, string>> = {}): Parameter[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => {
    const [description, example] = PATH_PARAMETERS[name!] ?? ['', ''];
    return {
      name: name!,
      in: 'path',
      description,
      required: true,
      schema: { type: 'string', minLength: 1 },
      example: examples[name!] ?? example,
    };
  });
}
