import { hash } from 'node:crypto';
import type { Weights } from '../../../api/shapes/catalog.ts';
import type { CheckRegistration, Registration, ServiceRegistration } from '../../../api/shapes/registration.ts';
import type { HealthCheck, Service, ServiceSpecInstance } from '../../../crds/types/index.ts';
import { mirrorKey } from '../../catalog-mirror/catalog-mirror.ts';
import { catalogName } from '../../indexes/cluster-view.ts';
import type { EndpointView, SliceView } from '../../workloads/endpoint-slice.ts';
import type { NamedNumber, PodView } from '../../workloads/pod.ts';
import { checkRegistration } from '../health-check/check-definition.ts';
import { endpointSubject, instanceId, podSubject, READINESS_CHECK_NAME, readinessCheckId } from '../identity.ts';
import { endpointReadiness, podReadiness, type Readiness } from './readiness.ts';

export interface PlanInput {
  readonly service: Service;
  /** The pods that its selector takes. */
  readonly pods: readonly PodView[];
  /** The EndpointSlices of its core Service. */
  readonly slices: readonly SliceView[];
  /** Its HealthChecks, in a stable order. */
  readonly healthChecks: readonly HealthCheck[];
  /** Address of a node of the cluster, '' when not known. */
  readonly hostAddress: (node: string) => string;
}

export interface PlanOptions {
  /** Catalog namespace. */
  readonly namespace: string;
  /** Catalog node of instances outside the cluster. */
  readonly externalNode: string;
}

/** One instance as it should be in the catalog. */
export interface PlannedInstance {
  /** Its identity, as CatalogMirror has it. */
  readonly key: string;
  readonly registration: Registration;
  /** A digest of the registration. */
  readonly hash: string;
}

export interface RegistrationPlan {
  readonly instances: readonly PlannedInstance[];
  /** What keeps endpoints from being registered, as sentences; each once. */
  readonly problems: readonly string[];
}

interface Candidate {
  readonly id: string;
  readonly node: string;
  /** '' when not known yet. */
  readonly nodeAddress: string;
  readonly address: string;
  readonly ports: readonly NamedNumber[];
  readonly readiness?: Readiness;
  readonly external?: ServiceSpecInstance;
}

/** What the catalog should hold for a Service: pure, a function of what is declared and seen. */
export function planRegistrations(input: PlanInput, options: PlanOptions): RegistrationPlan {
  const problems = new Set<string>();
  const instances = new Map<string, PlannedInstance>();
  for (const candidate of candidates(input, options, problems)) {
    const registration = registrationOf(candidate, input, options);
    const key = mirrorKey(options.namespace, candidate.node, candidate.id);
    // The same endpoint may be in two slices for a moment (EndpointSlice API, "Duplicate endpoints"): the first counts.
    if (!instances.has(key)) instances.set(key, { key, registration, hash: digest(registration) });
  }
  return { instances: [...instances.values()], problems: [...problems] };
}

function candidates(input: PlanInput, options: PlanOptions, problems: Set<string>): Candidate[] {
  const { service, pods, slices } = input;
  if (service.spec.instances) return service.spec.instances.map((each) => externalCandidate(service, each, options));
  if (service.spec.kubernetesService) {
    return slices.flatMap((slice) =>
      slice.endpoints.flatMap((each) => endpointCandidate(input, slice, each, options, problems)),
    );
  }
  return pods.flatMap((pod) => podCandidate(input, pod, problems));
}

function podCandidate({ service, hostAddress }: PlanInput, pod: PodView, problems: Set<string>): Candidate[] {
  const readiness = podReadiness(pod);
  // Without a node and an address there is nothing to reach yet; the change that brings them brings us back here.
  if (!readiness || pod.podIP === '' || pod.nodeName === '') return [];
  const ports = resolvePorts(service, pod.ports, 'a container port', problems);
  if (!ports) return [];
  return [
    {
      id: instanceId(catalogName(service), podSubject(pod)),
      node: pod.nodeName,
      nodeAddress: pod.hostIP || hostAddress(pod.nodeName),
      address: pod.podIP,
      ports,
      readiness,
    },
  ];
}

function endpointCandidate(
  input: PlanInput,
  slice: SliceView,
  endpoint: EndpointView,
  options: PlanOptions,
  problems: Set<string>,
): Candidate[] {
  const namespace = slice.metadata.namespace ?? 'default';
  const readiness = endpointReadiness(endpoint, namespace);
  if (!readiness) return [];
  const { spec } = input.service;
  const ports = spec.ports
    ? resolvePorts(input.service, slice.ports, 'a port of its EndpointSlices', problems)
    : slice.ports;
  if (!ports) return [];
  return [
    {
      id: instanceId(catalogName(input.service), endpointSubject(endpoint)),
      node: endpoint.nodeName || options.externalNode,
      // A node of the cluster never has the address of one of its endpoints, which would stay its own.
      nodeAddress: endpoint.nodeName ? input.hostAddress(endpoint.nodeName) : endpoint.address,
      address: endpoint.address,
      ports,
      readiness,
    },
  ];
}

function externalCandidate(service: Service, external: ServiceSpecInstance, options: PlanOptions): Candidate {
  const declared = (service.spec.ports ?? []).flatMap(({ name, port }) =>
    typeof port === 'number' ? [{ name, port }] : [],
  );
  const [first, ...rest] = declared;
  const port = external.port ?? first?.port ?? 0;
  const ports = first ? [{ name: first.name, port }, ...rest] : port > 0 ? [{ name: '', port }] : [];
  return {
    id: external.id ?? instanceId(catalogName(service), `${external.address}-${port}`),
    node: external.node ?? options.externalNode,
    nodeAddress: external.address,
    address: external.address,
    ports,
    external,
  };
}

/** The declared ports with their numbers; undefined, and a problem, when one cannot be found. */
function resolvePorts(
  service: Service,
  offered: readonly NamedNumber[],
  what: string,
  problems: Set<string>,
): NamedNumber[] | undefined {
  const ports: NamedNumber[] = [];
  for (const { name, port } of service.spec.ports ?? []) {
    const number = typeof port === 'number' ? port : offered.find((each) => each.name === port)?.port;
    if (number === undefined) {
      problems.add(`port ${name}: "${port}" is not the name of ${what} of every instance`);
      return undefined;
    }
    ports.push({ name, port: number });
  }
  return ports;
}

function registrationOf(candidate: Candidate, input: PlanInput, options: PlanOptions): Registration {
  const namespace = options.namespace === 'default' ? {} : { Namespace: options.namespace };
  return {
    Node: candidate.node,
    Address: candidate.nodeAddress,
    SkipNodeUpdate: true,
    ...namespace,
    Service: serviceOf(candidate, input.service, namespace),
    Checks: checksOf(candidate, input).map((check) => ({ ...check, Node: candidate.node, ...namespace })),
  };
}

function serviceOf(candidate: Candidate, service: Service, namespace: { Namespace?: string }): ServiceRegistration {
  const { spec } = service;
  const { ports, external } = candidate;
  const named = ports.filter(({ name }) => name !== '');
  const tags = [...new Set([...(spec.tags ?? []), ...(external?.tags ?? [])])];
  const meta = sortedPairs({ ...spec.meta, ...external?.meta });
  const weights: Weights = { Passing: external?.weights?.passing ?? 1, Warning: external?.weights?.warning ?? 1 };
  return {
    ID: candidate.id,
    Service: catalogName(service),
    ...namespace,
    Address: candidate.address,
    Port: ports[0]?.port ?? 0,
    ...(named.length > 0
      ? {
          Ports: named.map(({ name, port }) => ({
            Name: name,
            Port: port,
            ...(ports[0]?.name === name ? { Default: true } : {}),
          })),
        }
      : {}),
    Tags: tags,
    Meta: meta,
    Weights: weights,
  };
}

function checksOf(candidate: Candidate, input: PlanInput): CheckRegistration[] {
  const target = {
    instance: candidate.id,
    address: candidate.address,
    port: candidate.ports[0]?.port ?? 0,
    ports: candidate.ports,
  };
  const checks = input.healthChecks.map((check) => checkRegistration(check, target));
  if (candidate.readiness) {
    checks.push({
      CheckID: readinessCheckId(candidate.id),
      Name: READINESS_CHECK_NAME,
      ServiceID: candidate.id,
      Type: 'kubernetes-readiness',
      Status: candidate.readiness.status,
      Output: candidate.readiness.output,
    });
  }
  return checks;
}

function sortedPairs(record: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** 128 bits of SHA-256: collisions of honest declarations are out of reach, and it is kept with each instance. */
function digest(registration: Registration): string {
  return hash('sha256', JSON.stringify(registration), 'hex').slice(0, 32);
}
