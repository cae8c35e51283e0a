import type { HealthCheck, Intention, Service } from '../../crds/types/index.ts';
import type { ObjectKey } from '../object-source.ts';
import type { EndpointView } from '../workloads/endpoint-slice.ts';
import type { PodView } from '../workloads/pod.ts';

/** The catalog's name of a declaring object: `Service/<namespace>/<name>`. */
export function serviceRef(key: ObjectKey): string {
  return `Service/${key}`;
}

/** The key of the Service that a ref names; undefined for a ref of another form. */
export function serviceKeyOfRef(ref: string): ObjectKey | undefined {
  const match = /^Service\/([^/]+\/[^/]+)$/.exec(ref);
  return match?.[1];
}

/** The name of a declaring Intention: `Intention/<namespace>/<name>`. */
export function intentionRef(key: ObjectKey): string {
  return `Intention/${key}`;
}

/** The key of the Intention that a ref names; undefined for a ref of another form. */
export function intentionKeyOfRef(ref: string): ObjectKey | undefined {
  return /^Intention\/([^/]+\/[^/]+)$/.exec(ref)?.[1];
}

/** Instance id by what tells the instance apart from others of its service: podSubject, endpointSubject, or an address and port. */
export function instanceId(serviceName: string, subject: string): string {
  return `${serviceName}-${subject}`;
}

/** What tells the instance of a pod apart: the UID, so that a same-name pod is another instance. */
export function podSubject({ metadata, podIP }: PodView): string {
  return metadata.uid ?? podIP;
}

/** What tells the instance of an endpoint apart: as for the pod behind it, or the address when it has none. */
export function endpointSubject({ podUid, address }: EndpointView): string {
  return podUid ?? address;
}

/**
 * Check id of a HealthCheck on an instance: unique on its node, the same each time, safe in a URL path. A namespace has
 * no dot (RFC 1123 label), so the parts can be told apart.
 */
export function checkId(check: Pick<HealthCheck, 'metadata'>, instance: string): string {
  return `${check.metadata.namespace ?? 'default'}.${check.metadata.name}:${instance}`;
}

/** Check id of the readiness that Kubernetes reports. */
export function readinessCheckId(instance: string): string {
  return `kubernetes-readiness:${instance}`;
}

export const READINESS_CHECK_NAME = 'Kubernetes Readiness Check';

/** Lets inferred deletes of what an object declared through, however many they are. */
export const ALLOW_SWEEP_ANNOTATION = 'lictor.dev/allow-sweep';

export function allowsSweep(object: Service | Intention | undefined): boolean {
  return object?.metadata.annotations?.[ALLOW_SWEEP_ANNOTATION] === 'true';
}
