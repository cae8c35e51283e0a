// Generated from crds/service.yaml by `make crds`; change that file instead.
import type { ObjectMeta } from '../kubernetes-meta.ts';
import type { Condition } from './condition.ts';

/**
 * A Service says which instances belong together and under which name they are offered. The instances that are healthy
 * answer to <name>.service.consul in DNS and to /v1/health/service/<name> over HTTP.
 */
export interface Service {
  /** The version of this schema, lictor.dev/v1alpha1. */
  apiVersion: 'lictor.dev/v1alpha1';
  /** Service. */
  kind: 'Service';
  /** Standard object metadata. */
  metadata: ObjectMeta;
  /** Who the instances are and how they are offered. */
  spec: ServiceSpec;
  /** What the catalog says, for people to read; the full detail is in the HTTP API. Written by the operator. */
  status?: ServiceStatus;
}

/** Who the instances are and how they are offered. */
export interface ServiceSpec {
  /** Name of the service in the catalog: a DNS label in lower case. Default: metadata.name. */
  serviceName?: string;
  /**
   * The instances are the pods of this namespace whose labels match; matchLabels and matchExpressions must all hold.
   * One of selector, kubernetesService and instances is set.
   */
  selector?: ServiceSpecSelector;
  /**
   * The instances are the endpoints in the EndpointSlices of the core Service of this name in this namespace. One of
   * selector, kubernetesService and instances is set.
   */
  kubernetesService?: string;
  /**
   * The instances themselves, for what runs outside the cluster. One of selector, kubernetesService and instances is
   * set.
   */
  instances?: ServiceSpecInstance[];
  /**
   * The ports that are offered, each with a name; the first is the default one. Without them the instances have the
   * port of spec.instances, else the ports of the kubernetesService, else none.
   */
  ports?: ServiceSpecPort[];
  /** Tags of each instance; <tag>.<name>.service.consul finds those that have it. */
  tags?: string[];
  /**
   * Metadata of each instance. At most 64 pairs; keys of letters, digits, "_" and "-", at most 128 long; values at most
   * 512 long.
   */
  meta?: Record<string, string>;
}

/**
 * The instances are the pods of this namespace whose labels match; matchLabels and matchExpressions must all hold. One
 * of selector, kubernetesService and instances is set.
 */
export interface ServiceSpecSelector {
  /** Labels, each of which a pod must have with just this value. */
  matchLabels?: Record<string, string>;
  /** Requirements on labels, all of which must hold. */
  matchExpressions?: ServiceSpecSelectorMatchExpression[];
}

/** One requirement on one label. */
export interface ServiceSpecSelectorMatchExpression {
  /** The label's name, with an optional prefix (example.org/name). */
  key: string;
  /** In and NotIn compare with values; Exists and DoesNotExist ask only whether the label is there. */
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  /** The values for In and NotIn. */
  values?: string[];
}

/** One instance outside the cluster. */
export interface ServiceSpecInstance {
  /** IP address or DNS name under which the instance is reached. */
  address: string;
  /** Number of the instance's default port. Default: the first of spec.ports. With both, this one holds. */
  port?: number;
  /**
   * Catalog node that the instance belongs to; the agent of that node runs its checks. Default: the node that the
   * operator keeps for instances outside the cluster.
   */
  node?: string;
  /** Instance id, unique on its node. Default: the service name, the address and the port, joined by "-". */
  id?: string;
  /** Tags of this instance, added to spec.tags. */
  tags?: string[];
  /**
   * Metadata of this instance, laid over spec.meta. At most 64 pairs together with it; keys of letters, digits, "_" and
   * "-", at most 128 long; values at most 512 long.
   */
  meta?: Record<string, string>;
  /** Weight of the instance in SRV answers, by its state. */
  weights?: ServiceSpecInstanceWeights;
}

/** Weight of the instance in SRV answers, by its state. */
export interface ServiceSpecInstanceWeights {
  /** Weight while all checks pass. Default: 1. */
  passing?: number;
  /** Weight while the worst check is warning. Default: 1. */
  warning?: number;
}

/** One named port. */
export interface ServiceSpecPort {
  /**
   * Name of the port, unique in this Service: lower case letters, digits and "-", with at least one letter, at most 15
   * long (RFC 6335).
   */
  name: string;
  /** A number from 1 to 65535, or the name of a container port (with kubernetesService that of a Service port). */
  port: number | string;
}

/** What the catalog says, for people to read; the full detail is in the HTTP API. Written by the operator. */
export interface ServiceStatus {
  /** The service name in the catalog. */
  serviceName?: string;
  /** How many instances are passing or warning, so that DNS gives their addresses. */
  healthy?: number;
  /** How many instances there are. */
  total?: number;
  /** The first 50 instances, the unhealthy ones first. */
  endpoints?: ServiceStatusEndpoint[];
  /** How many instances are not in the list of endpoints, as it is bounded. */
  omitted?: number;
  /** The metadata.generation that this status is about. */
  observedGeneration?: number;
  /**
   * Ready (the catalog holds what is declared), Reconciling (a change is being worked on) and Stalled (it will not get
   * on without a change by you).
   */
  conditions?: Condition[];
}

/** One instance. */
export interface ServiceStatusEndpoint {
  /** Address of the instance. */
  address: string;
  /** Its default port; 0 when it has none. */
  port: number;
  /** Catalog node that the instance belongs to. */
  node: string;
  /** The worst state of its checks and its node's checks. */
  status: 'passing' | 'warning' | 'critical';
}
