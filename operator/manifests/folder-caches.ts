import type { Logger } from '../../core/log.ts';
import { LICTOR_API_VERSION } from '../../crds/manifests/kind-schema.ts';
import type { HealthCheck, Intention, Service } from '../../crds/types/index.ts';
import { ObjectCache } from '../informer/object-cache.ts';
import type { KubeObject } from '../kube-api/kube-api.ts';
import type { SliceView } from '../workloads/endpoint-slice.ts';
import type { PodView } from '../workloads/pod.ts';

/** What a folder declares, by kind. */
export interface Caches {
  readonly pods: ObjectCache<PodView>;
  readonly slices: ObjectCache<SliceView>;
  readonly services: ObjectCache<Service>;
  readonly healthChecks: ObjectCache<HealthCheck>;
  readonly intentions: ObjectCache<Intention>;
}

/** Our kinds, in the order in which they are shown, and their caches. */
export const OURS = { Service: 'services', HealthCheck: 'healthChecks', Intention: 'intentions' } as const;

export function emptyCaches(deps: { log: Logger }): Caches {
  const cache = <T extends KubeObject>(kind: string) => new ObjectCache<T>(deps, { kind });
  return {
    pods: cache('Pod'),
    slices: cache('EndpointSlice'),
    services: cache('Service'),
    healthChecks: cache('HealthCheck'),
    intentions: cache('Intention'),
  };
}

/** Which cache an object belongs in; undefined: of its kind nothing is needed. */
export function sourceOf(apiVersion: string, kind: string): keyof Caches | undefined {
  if (apiVersion === LICTOR_API_VERSION) return OURS[kind as keyof typeof OURS];
  if (apiVersion === 'v1' && kind === 'Pod') return 'pods';
  if (kind === 'EndpointSlice') return 'slices';
  return undefined;
}
