import type { ResourceKind } from './kube-api.ts';

/** The kinds that the operator reads and writes. */
export const SERVICES: ResourceKind = { group: 'lictor.dev', version: 'v1alpha1', plural: 'services', kind: 'Service' };
export const HEALTH_CHECKS: ResourceKind = {
  group: 'lictor.dev',
  version: 'v1alpha1',
  plural: 'healthchecks',
  kind: 'HealthCheck',
};
export const INTENTIONS: ResourceKind = {
  group: 'lictor.dev',
  version: 'v1alpha1',
  plural: 'intentions',
  kind: 'Intention',
};
export const PODS: ResourceKind = { group: '', version: 'v1', plural: 'pods', kind: 'Pod' };
export const ENDPOINT_SLICES: ResourceKind = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
};
export const EVENTS: ResourceKind = { group: '', version: 'v1', plural: 'events', kind: 'Event' };
export const LEASES: ResourceKind = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease' };
