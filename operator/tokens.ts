import type { InjectionToken } from 'tsyringe';
import type { HealthCheck, Intention, Service } from '../crds/types/index.ts';
import type { CatalogMirror } from './catalog-mirror/catalog-mirror.ts';
import type { KubeEventRecorder } from './events/kube-event-recorder.ts';
import type { ClusterSources } from './indexes/cluster-view.ts';
import type { InformerSet } from './informer/informer-set.ts';
import type { IntentionMirror } from './intention-mirror/intention-mirror.ts';
import type { ControllerSet } from './manager/controller-set.ts';
import type { SliceView } from './workloads/endpoint-slice.ts';
import type { PodView } from './workloads/pod.ts';

/** The parts of the operator that its composition wires by name. */
export const SERVICES: InjectionToken<InformerSet<Service>> = Symbol('services');
export const HEALTH_CHECKS: InjectionToken<InformerSet<HealthCheck>> = Symbol('health checks');
export const INTENTIONS: InjectionToken<InformerSet<Intention>> = Symbol('intentions');
export const PODS: InjectionToken<InformerSet<PodView>> = Symbol('pods');
export const SLICES: InjectionToken<InformerSet<SliceView>> = Symbol('endpoint slices');
export const SOURCES: InjectionToken<ClusterSources> = Symbol('sources');
export const MIRROR: InjectionToken<CatalogMirror> = Symbol('catalog mirror');
export const INTENTION_MIRROR: InjectionToken<IntentionMirror> = Symbol('intention mirror');
export const EVENTS: InjectionToken<KubeEventRecorder> = Symbol('events');
export const CONTROLLERS: InjectionToken<ControllerSet> = Symbol('controllers');
