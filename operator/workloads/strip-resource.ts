import type { HealthCheck, Intention, Service } from '../../crds/types/index.ts';
import type { KubeObject } from '../kube-api/kube-api.ts';
import { share } from './shared-text.ts';

/** Annotations of ours begin with this; others are not kept. */
const OUR_PREFIX = 'lictor.dev/';

/** A custom resource without managed fields and foreign annotations. Takes the object over. */
export function stripResource<T extends Service | HealthCheck | Intention>(object: KubeObject): T {
  const { apiVersion, kind, metadata, spec, status } = object as T;
  const ours = Object.entries(metadata.annotations ?? {}).filter(([name]) => name.startsWith(OUR_PREFIX));
  return {
    apiVersion,
    kind,
    metadata: {
      name: metadata.name,
      namespace: metadata.namespace,
      uid: metadata.uid,
      resourceVersion: metadata.resourceVersion,
      generation: metadata.generation,
      creationTimestamp: metadata.creationTimestamp,
      deletionTimestamp: metadata.deletionTimestamp,
      ...(ours.length > 0 ? { annotations: Object.fromEntries(ours) } : {}),
    },
    spec,
    status: status && sharedStatus(status),
  } as T;
}

/** Reasons, messages, times and node names are the same in thousands of statuses. */
function sharedStatus(value: object): object {
  for (const [name, each] of Object.entries(value)) {
    if (typeof each === 'string') Object.assign(value, { [name]: share(each) });
    else if (typeof each === 'object' && each !== null) sharedStatus(each);
  }
  return value;
}
