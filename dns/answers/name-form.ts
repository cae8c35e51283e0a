import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';

/** `[tag.]name.service`, `_name._tag[.service]`, and `port.port.` in front of the former. */
export interface ServiceForm {
  readonly kind: 'service';
  readonly namespace: string;
  readonly service: string;
  /** Instances must have this tag; it may hold dots. */
  readonly tag?: string;
  /** SRV records carry this named port; instances without it are left out. */
  readonly port?: string;
  readonly datacenter?: string;
}

/** `name.node`; node names may hold dots. */
export interface NodeForm {
  readonly kind: 'node';
  readonly node: string;
  readonly datacenter?: string;
}

/** `hexip.addr`, as SRV targets use it for addresses that belong to no node. */
export interface AddrForm {
  readonly kind: 'addr';
  readonly hex: string;
  readonly datacenter?: string;
}

/** `name.connect`, `name.ingress`, `name.virtual`: a service's mesh endpoints, ingress gateways, virtual address. */
export interface MeshForm {
  readonly kind: 'connect' | 'ingress' | 'virtual';
  readonly namespace: string;
  readonly service: string;
  readonly datacenter?: string;
}

/** `name.query`, `_name._tcp.query`: a prepared query by name or id; names may hold dots. */
export interface QueryForm {
  readonly kind: 'query';
  readonly query: string;
  readonly datacenter?: string;
}

/** The address whose name is asked for, by a name below `in-addr.arpa` or `ip6.arpa`. */
export interface ReverseForm {
  readonly kind: 'reverse';
  readonly address: string;
  readonly datacenter?: undefined;
}

/** What a name of the zone asks for. Texts are in the case of the question. */
export type NameForm = ServiceForm | NodeForm | AddrForm | MeshForm | QueryForm | ReverseForm;

/** The label that says what kind of thing is asked for. */
const KINDS = new Set(['service', 'node', 'addr', 'connect', 'ingress', 'virtual', 'query']);
/** Labels that name the one before them. Partitions, peers and sameness groups do not exist here. */
const MARKERS = new Set(['ns', 'dc', 'ap', 'peer', 'sg']);

interface Scope {
  namespace?: string;
  datacenter?: string;
}

/**
 * Reads the labels of a name below the domain ("web", "service", "dc1"); undefined when the name has no known form.
 *
 * After the kind come `X.ns`, `X.dc` and `default.ap` in any order, each at most once, or a bare last label that is a
 * datacenter (Consul documentation, "DNS reference"). They are read from the right, so that a service or namespace
 * may itself be called "node".
 */
export function parseNameForm(labels: readonly string[]): NameForm | undefined {
  const scope: Scope = {};
  let end = stripScope(labels, scope);
  if (end === undefined) return undefined;
  const kind = labels[end - 1]?.toLowerCase() ?? '';
  if (KINDS.has(kind)) end--;
  const prefix = labels.slice(0, end);
  if (prefix.length === 0 || prefix.includes('')) return undefined;
  if (kind === 'node') return scope.namespace === undefined ? nodeForm(prefix, scope) : undefined;
  if (kind === 'addr') return prefix.length === 1 ? { kind: 'addr', hex: prefix[0]!, ...dc(scope) } : undefined;
  if (kind === 'query') return scope.namespace === undefined ? queryForm(prefix, scope) : undefined;
  if (kind === 'connect' || kind === 'ingress' || kind === 'virtual') return meshForm(kind, prefix, scope);
  if (isRfc2782(prefix)) return rfc2782Form(prefix, scope);
  return kind === 'service' ? serviceForm(prefix, scope) : undefined;
}

/** How many labels are left of the scope labels; undefined when those make no sense. */
function stripScope(labels: readonly string[], scope: Scope): number | undefined {
  let end = labels.length;
  for (let first = true; end > 0; first = false) {
    const last = labels[end - 1]!.toLowerCase();
    if (KINDS.has(last) || last.startsWith('_')) return end;
    if (MARKERS.has(last) && end >= 2) {
      if (!takeScope(scope, last, labels[end - 2]!)) return undefined;
      end -= 2;
    } else if (first) {
      scope.datacenter = last;
      end--;
    } else {
      return undefined; // only the last label may stand for a datacenter without saying so
    }
  }
  return undefined;
}

function takeScope(scope: Scope, marker: string, value: string): boolean {
  const lower = value.toLowerCase();
  if (marker === 'ns' && scope.namespace === undefined) scope.namespace = lower;
  else if (marker === 'dc' && scope.datacenter === undefined) scope.datacenter = lower;
  else return marker === 'ap' && lower === 'default';
  return true;
}

function dc(scope: Scope): { datacenter?: string } {
  return scope.datacenter === undefined ? {} : { datacenter: scope.datacenter };
}

function nodeForm(prefix: readonly string[], scope: Scope): NodeForm {
  return { kind: 'node', node: prefix.join('.'), ...dc(scope) };
}

function queryForm(prefix: readonly string[], scope: Scope): QueryForm {
  const query = isRfc2782(prefix) ? prefix[0]!.slice(1) : prefix.join('.');
  return { kind: 'query', query, ...dc(scope) };
}

/** A virtual address is one of this datacenter: its names have none (Consul reads the label as a peer's name). */
function meshForm(kind: MeshForm['kind'], prefix: readonly string[], scope: Scope): MeshForm | undefined {
  if (prefix.length !== 1 || (kind === 'virtual' && scope.datacenter !== undefined)) return undefined;
  return { kind, namespace: scope.namespace ?? DEFAULT_NAMESPACE, service: prefix[0]!, ...dc(scope) };
}

function isRfc2782(prefix: readonly string[]): boolean {
  return prefix.length === 2 && prefix.every((label) => label.length > 1 && label.startsWith('_'));
}

/** `_web._tcp`: any instance; `_web._blue`: those tagged blue. */
function rfc2782Form(prefix: readonly string[], scope: Scope): ServiceForm {
  const tag = prefix[1]!.slice(1);
  return {
    kind: 'service',
    namespace: scope.namespace ?? DEFAULT_NAMESPACE,
    service: prefix[0]!.slice(1),
    ...(tag.toLowerCase() === 'tcp' ? {} : { tag }),
    ...dc(scope),
  };
}

function serviceForm(prefix: readonly string[], scope: Scope): ServiceForm {
  const service = prefix.at(-1)!;
  const { tagLabels, port } = takePort(prefix.slice(0, -1));
  return {
    kind: 'service',
    namespace: scope.namespace ?? DEFAULT_NAMESPACE,
    service,
    ...(tagLabels.length > 0 ? { tag: tagLabels.join('.') } : {}),
    ...(port === undefined ? {} : { port }),
    ...dc(scope),
  };
}

/** `grpc.port` at the front or directly before the service name; anywhere else it is part of a dotted tag. */
function takePort(labels: readonly string[]): { tagLabels: readonly string[]; port?: string } {
  const isPort = (index: number) => labels[index]?.toLowerCase() === 'port';
  if (labels.length >= 2 && isPort(1)) return { tagLabels: labels.slice(2), port: labels[0]! };
  if (labels.length >= 2 && isPort(labels.length - 1)) return { tagLabels: labels.slice(0, -2), port: labels.at(-2)! };
  return { tagLabels: labels };
}
