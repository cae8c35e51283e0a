import type { HealthCheck, Intention, Service } from '../../crds/types/index.ts';
import type { ObjectKey } from '../object-source.ts';

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

/** Instance id of a pod or of an endpoint that has no pod: by UID, so that a same-name pod is another instance. */
export function instanceId(serviceName: string, uidOrAddress: string): string {
  return `${serviceName}-${uidOrAddress}`;
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
