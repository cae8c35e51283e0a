import { checkedNamespace } from '../../api/http/request-params.ts';
import { checkKinds } from '../../api/shapes/agent-check.ts';
import {
  type CheckDefinition,
  type CheckStatus,
  DEFAULT_NAMESPACE,
  type Locality,
  type Weights,
} from '../../api/shapes/catalog.ts';
import { isCheckStatus } from '../../api/shapes/decode-verdicts.ts';
import { meshProblems, problemList } from '../../api/shapes/mesh-rules.ts';
import { defaultPortOf } from '../../api/shapes/named-ports.ts';
import { connectFields, proxyFields } from '../../api/shapes/proxy-fields.ts';
import type { CheckRegistration, Registration, ServiceRegistration } from '../../api/shapes/registration.ts';
import { AppError } from '../../core/errors.ts';
import { isAnyAddress } from '../../core/ip-address.ts';
import { isRunnable } from './entries.ts';
import type { InstanceContent } from './records.ts';

/** The largest weight in an SRV record. */
const MAX_WEIGHT = 65_535;

/** A check of a registration with everything filled in. */
export interface NormalCheck {
  readonly namespace: string;
  readonly checkId: string;
  readonly name: string;
  readonly notes: string;
  readonly serviceId: string;
  readonly type: string;
  readonly interval: string;
  readonly timeout: string;
  readonly exposedPort: number;
  readonly definition: CheckDefinition;
  /** The state half to write; undefined leaves the present one. */
  readonly state: { status: CheckStatus; output: string } | undefined;
  /** The state half to write when there is none yet: of a check that nobody runs. */
  readonly initialState: { status: CheckStatus; output: string } | undefined;
}

/** A registration with everything filled in and checked as far as that needs no catalog. */
export interface NormalRegistration {
  readonly node: string;
  readonly nodeId: string;
  readonly address: string;
  readonly taggedAddresses: Record<string, string> | null;
  readonly nodeMeta: Record<string, string> | null;
  readonly locality: Locality | undefined;
  readonly skipNodeUpdate: boolean;
  readonly instance: { readonly namespace: string; readonly content: InstanceContent } | undefined;
  readonly checks: readonly NormalCheck[];
}

/** Texts are Consul's. @throws AppError `badRequest` naming the field. */
export function normalizeRegistration(registration: Registration): NormalRegistration {
  const node = registration.Node ?? '';
  if (node === '') throw invalid('Must provide node', 'Node');
  const skipNodeUpdate = registration.SkipNodeUpdate ?? false;
  const address = registration.Address ?? '';
  if (address === '' && !skipNodeUpdate) throw invalid('Must provide address if SkipNodeUpdate is not set', 'Address');
  const namespace = registration.Namespace ? checkedNamespace(registration.Namespace) : DEFAULT_NAMESPACE;
  const checks = registration.Check
    ? [registration.Check, ...(registration.Checks ?? [])]
    : (registration.Checks ?? []);
  const normal = checks.map((check) => normalizeCheck(check, node, namespace));
  return {
    node,
    nodeId: checkedNodeId(registration.ID ?? ''),
    address,
    taggedAddresses: registration.TaggedAddresses ?? null,
    nodeMeta: registration.NodeMeta ?? null,
    locality: registration.Locality,
    skipNodeUpdate,
    instance: registration.Service && normalizeService(registration.Service, namespace),
    checks: lastOfEach(normal),
  };
}

function checkedNodeId(id: string): string {
  if (id === '') return '';
  if (id.length !== 36) throw invalid('Bad node ID: uuid string is wrong length', 'ID');
  if (!/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(id)) {
    throw invalid('Bad node ID: uuid is improperly formatted', 'ID');
  }
  return id.toLowerCase();
}

function normalizeService(service: ServiceRegistration, registrationNamespace: string): NormalRegistration['instance'] {
  const name = service.Service ?? '';
  if (name === '') {
    throw invalid('Must provide service name (Service.Service) when service ID is provided', 'Service.Service');
  }
  const address = service.Address ?? '';
  if (isAnyAddress(address)) throw invalid('Invalid service address', 'Service.Address');
  const ports = service.Ports && service.Ports.length > 0 ? service.Ports : undefined;
  const content: InstanceContent = {
    ID: service.ID || name,
    Service: name,
    Tags: service.Tags ?? [],
    Address: address,
    Meta: service.Meta ?? null,
    Port: defaultPort(service.Port ?? 0, ports),
    Weights: weightsOf(service.Weights),
    EnableTagOverride: service.EnableTagOverride ?? false,
  };
  if (service.Kind) content.Kind = service.Kind;
  if (service.TaggedAddresses) {
    content.TaggedAddresses = Object.fromEntries(
      Object.entries(service.TaggedAddresses).map(([key, value]) => [
        key,
        { Address: value.Address ?? '', Port: value.Port ?? 0 },
      ]),
    );
  }
  if (ports) content.Ports = ports.map((port) => ({ ...port }));
  if (service.SocketPath) content.SocketPath = service.SocketPath;
  if (service.Locality) content.Locality = service.Locality;
  if (isRecord(service.Proxy, 'Service.Proxy')) content.Proxy = proxyFields(service.Proxy);
  if (isRecord(service.Connect, 'Service.Connect')) content.Connect = connectFields(service.Connect);
  // An entry may make the proxy a transparent one, whose upstreams need no listeners.
  const problems = meshProblems(content, { listeners: false });
  if (problems.length > 0) throw invalid(`Invalid service: ${problemList(problems)}`, 'Service.Proxy');
  return { namespace: service.Namespace ? checkedNamespace(service.Namespace) : registrationNamespace, content };
}

/** Clients send 0 for what they were not given: weights that make no sense count as none (Consul's rule). */
function weightsOf({ Passing = 0, Warning = 0 }: Partial<Weights> = {}): Weights {
  const sensible = Passing >= 1 && Passing <= MAX_WEIGHT && Warning >= 0 && Warning <= MAX_WEIGHT;
  return sensible ? { Passing, Warning } : { Passing: 1, Warning: 1 };
}

/** `Port` is the default one of the named ports: given, marked, or else the first. */
function defaultPort(port: number, ports: ServiceRegistration['Ports']): number {
  if (!isPort(port)) throw invalid(`Invalid service port ${port}: must be 0 to 65535`, 'Service.Port');
  if (!ports) return port;
  for (const [at, named] of ports.entries()) {
    const field = `Service.Ports[${at}]`;
    if (!/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/.test(named.Name ?? '')) {
      throw invalid(`${field}.Name: want 1 to 63 letters, digits or hyphens`, field);
    }
    if (!isPort(named.Port) || named.Port === 0) throw invalid(`${field}.Port: must be 1 to 65535`, field);
  }
  return defaultPortOf(port, ports, 'Service.');
}

function normalizeCheck(check: CheckRegistration, node: string, registrationNamespace: string): NormalCheck {
  const checkId = check.CheckID || check.Name || '';
  if (checkId === '') throw invalid('Must provide a check ID or name', 'Check.CheckID');
  if (check.Node && check.Node.toLowerCase() !== node.toLowerCase()) {
    throw invalid(
      `Node '${check.Node}' for check '${checkId}' doesn't match register request node '${node}'`,
      'Check.Node',
    );
  }
  const status = check.Status || undefined;
  if (status !== undefined && !isCheckStatus(status)) {
    throw invalid(
      `Invalid status '${String(status)}' for check '${checkId}': must be passing, warning or critical`,
      'Check.Status',
    );
  }
  const definition = definedFields(check.Definition ?? {});
  const output = check.Output ?? '';
  return {
    namespace: check.Namespace ? checkedNamespace(check.Namespace) : registrationNamespace,
    checkId,
    name: check.Name ?? '',
    notes: check.Notes ?? '',
    serviceId: check.ServiceID ?? '',
    type: check.Type || typeOf(definition),
    interval: check.Interval ?? '',
    timeout: check.Timeout ?? '',
    exposedPort: check.ExposedPort ?? 0,
    definition,
    state: status && { status, output },
    initialState: isRunnable(definition) ? undefined : { status: 'critical', output },
  };
}

/** What the definition makes of a check whose registration does not name its type (Consul's order). */
function typeOf(definition: CheckDefinition): string {
  const kinds = checkKinds(definition);
  if (kinds[0] === 'alias') return 'alias';
  if (definition.TTL) return 'ttl';
  if (!definition.Interval) return '';
  return kinds.find((kind) => kind !== 'docker' || definition.ScriptArgs?.length) ?? '';
}

/** Of checks with one id the last counts, as if they had been registered in turn. */
function lastOfEach(checks: readonly NormalCheck[]): readonly NormalCheck[] {
  if (checks.length < 2) return checks;
  const byId = new Map(checks.map((check) => [`${check.namespace}/${check.checkId.toLowerCase()}`, check]));
  return [...byId.values()];
}

/**
 * Zero values are left out of a definition's JSON, as in Consul. A ping uses TLS unless it is refused, so there `false` says
 * something.
 */
function definedFields(definition: CheckDefinition): CheckDefinition {
  const meant = (name: string) =>
    name === 'H2PingUseTLS' && definition.H2PING !== undefined && definition.H2PING !== '';
  return Object.fromEntries(
    Object.entries(definition).filter(
      ([name, value]) =>
        value !== '' && value !== 0 && (value !== false || meant(name)) && value !== '0s' && value !== undefined,
    ),
  );
}

function isRecord(value: unknown, field: string): value is Record<string, unknown> {
  if (value === undefined || value === null) return false;
  if (typeof value !== 'object' || Array.isArray(value)) throw invalid(`${field} must be an object`, field);
  return true;
}

function isPort(port: unknown): boolean {
  return Number.isInteger(port) && (port as number) >= 0 && (port as number) <= 65535;
}

function invalid(text: string, field: string): AppError {
  return new AppError('badRequest', text, { facts: { field } });
}
