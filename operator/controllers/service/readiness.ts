import type { CheckStatus } from '../../../api/shapes/catalog.ts';
import type { EndpointView } from '../../workloads/endpoint-slice.ts';
import type { PodView } from '../../workloads/pod.ts';

/** The state of the readiness check, or undefined when the endpoint is no instance (any more). */
export interface Readiness {
  readonly status: CheckStatus;
  readonly output: string;
}

/**
 * How ready, serving and terminating (EndpointSlice API) become a check state:
 *
 * | ready | serving | terminating | state |
 * | yes | yes | no | passing |
 * | no | any | no | critical |
 * | no | yes | yes | critical: draining. It finishes what it has; like kube-proxy, DNS hands out no new work to it |
 * | no | no | yes | no instance |
 */
export function readinessOf(
  endpoint: { ready: boolean; serving: boolean; terminating: boolean },
  what: string,
): Readiness | undefined {
  if (endpoint.terminating) {
    if (!endpoint.serving) return undefined;
    return { status: 'critical', output: `${what} is terminating; it still serves but gets no new work` };
  }
  if (endpoint.ready) return { status: 'passing', output: `${what} is ready` };
  return { status: 'critical', output: `${what} is not ready` };
}

/** Pods have only the condition Ready: it means serving, and ready while the pod is not being deleted. */
export function podReadiness(pod: PodView): Readiness | undefined {
  if (pod.phase === 'Succeeded' || pod.phase === 'Failed') return undefined;
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const what = `Pod ${pod.metadata.namespace}/${pod.metadata.name}`;
  return readinessOf({ ready: pod.ready && !terminating, serving: pod.ready, terminating }, what);
}

export function endpointReadiness(endpoint: EndpointView, namespace: string): Readiness | undefined {
  const what = endpoint.podName ? `Pod ${namespace}/${endpoint.podName}` : `Endpoint ${endpoint.address}`;
  return readinessOf(endpoint, what);
}
