import type { CheckDefinition, CheckStatus, ServiceInstance } from '../../api/shapes/catalog.ts';

/** Who declared an entry: a client of the agent's API, the agent's configuration, or others through the catalog. */
export type Origin = 'api' | 'config' | 'assigned';

/** A service instance of this node without its catalog indexes. */
export type LocalInstance = Omit<ServiceInstance, 'CreateIndex' | 'ModifyIndex' | 'Namespace'>;

/** A service instance that this agent owns. */
export interface LocalService {
  readonly namespace: string;
  readonly instance: LocalInstance;
  readonly origin: Exclude<Origin, 'assigned'>;
  /** The id of the service whose definition asked for this sidecar: it goes with that service. */
  readonly sidecarOf?: string;
  /** The tags as declared, where tags that others have set in the catalog have taken their place. Never saved. */
  readonly declaredTags?: LocalInstance['Tags'];
}

/** The declared half of a check of this node. */
export interface LocalCheckDeclaration {
  readonly namespace: string;
  readonly checkId: string;
  readonly name: string;
  readonly notes: string;
  /** '' for a check of the node itself. */
  readonly serviceId: string;
  /** A kind of check by Consul's name, or maintenance. */
  readonly type: string;
  /** As shown in Consul's answers, which differ by the way of registration ('' or "0s" for none). */
  readonly interval: string;
  readonly timeout: string;
  readonly definition: CheckDefinition;
  readonly origin: Origin;
}

/** The state half of a check as last found by this agent. */
export interface LocalVerdict {
  readonly status: CheckStatus;
  readonly output: string;
  /**
   * Since when it is critical without a break, in milliseconds of the monotonic clock of this run; undefined when it is
   * not.
   */
  readonly criticalSinceMs?: number;
}

/** A check with both halves. */
export interface LocalCheck extends LocalCheckDeclaration, LocalVerdict {
  /** Of assigned checks: the service's name and the definition's index in the catalog. */
  readonly serviceName?: string;
  readonly definitionIndex?: number;
}

/** The key of an instance or check of this node; ids compare without regard to case, as in the catalog. */
export function localKey(namespace: string, id: string): string {
  return `${namespace}/${id.toLowerCase()}`;
}

/** The declared half alone, for files and digests. */
export function declarationOf(check: LocalCheck): LocalCheckDeclaration {
  const { namespace, checkId, name, notes, serviceId, type, interval, timeout, definition, origin } = check;
  return { namespace, checkId, name, notes, serviceId, type, interval, timeout, definition, origin };
}

/** A service without what was taken over from the catalog. */
export function serviceAsDeclared({ declaredTags, ...service }: LocalService): LocalService {
  return declaredTags ? { ...service, instance: { ...service.instance, Tags: declaredTags } } : service;
}
