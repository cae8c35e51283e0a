import 'reflect-metadata';
import { type DependencyContainer, type InjectionToken, instanceCachingFactory, container as root } from 'tsyringe';
import type { Clock } from '../core/clock.ts';
import { RunGroup, type Runnable } from '../core/lifecycle.ts';
import type { Logger } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Random } from '../core/random.ts';
import type { HealthCheck, Intention, Service } from '../crds/types/index.ts';
import type { CatalogClient } from './catalog-client/catalog-client.ts';
import { CatalogMirror } from './catalog-mirror/catalog-mirror.ts';
import { KubeEventRecorder } from './events/kube-event-recorder.ts';
import { InformerSet } from './informer/informer-set.ts';
import type { IntentionClient } from './intention-client/intention-client.ts';
import { IntentionMirror } from './intention-mirror/intention-mirror.ts';
import type { KubeApi, KubeObject, ResourceKind } from './kube-api/kube-api.ts';
import { ENDPOINT_SLICES, HEALTH_CHECKS, INTENTIONS, PODS, SERVICES } from './kube-api/resources.ts';
import { ControllerSet } from './manager/controller-set.ts';
import { LeaderElector } from './manager/leader-elector.ts';
import type { Leadership } from './manager/leadership.ts';
import { ProbeServer } from './manager/probe-server.ts';
import { SoleLeader } from './manager/sole-leader.ts';
import type { OperatorOptions } from './options.ts';
import { KubeStatusSink } from './status/kube-status-sink.ts';
import * as tokens from './tokens.ts';
import { stripSlice } from './workloads/endpoint-slice.ts';
import { stripPod } from './workloads/pod.ts';
import { stripResource } from './workloads/strip-resource.ts';

export interface OperatorParts {
  readonly api: KubeApi;
  readonly catalog: CatalogClient;
  readonly intentions: IntentionClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export type OperatorConfig = Pick<
  OperatorOptions,
  | 'watchNamespaces'
  | 'externalNode'
  | 'namespaces'
  | 'maxSweepShare'
  | 'leaderElect'
  | 'leaseName'
  | 'leaseMs'
  | 'metricsAddress'
  | 'workers'
> & {
  readonly owner: string;
  readonly leaseNamespace: string;
  /** Unique to this process. */
  readonly identity: string;
};

/** An operator: probes first, then what it follows, then leadership, which runs the controllers. */
export interface ComposedOperator {
  readonly runnable: Runnable;
  /** Present unless probes are off. */
  readonly probes?: ProbeServer;
  readonly elector?: LeaderElector;
}

/** Wires an operator for Kubernetes. Nothing runs before the runnable does. */
export function composeOperator(config: OperatorConfig, parts: OperatorParts): ComposedOperator {
  const container = root.createChildContainer();
  registerParts(container, config, parts);
  const { clock, random, log, metrics, api, catalog } = parts;
  const mirror = container.resolve(tokens.MIRROR);
  const intentionMirror = container.resolve(tokens.INTENTION_MIRROR);
  const sets = [tokens.SERVICES, tokens.HEALTH_CHECKS, tokens.INTENTIONS, tokens.PODS, tokens.SLICES].map((token) =>
    container.resolve(token as InjectionToken<InformerSet<KubeObject>>),
  );
  const lead = (leadership: Leadership, signal: AbortSignal) =>
    container.resolve(tokens.CONTROLLERS).lead(leadership, signal);
  const { owner, identity, leaseMs, leaseNamespace: namespace, leaseName: name } = config;
  const elector = config.leaderElect
    ? new LeaderElector(
        { leases: api, catalog, lead, clock, log, metrics },
        // The leader stops at two thirds of the time after which others may start; it renews often enough for that.
        { lease: { namespace, name }, identity, owner, leaseMs, renewMs: (leaseMs * 2) / 3, retryMs: leaseMs / 7.5 },
      )
    : undefined;
  const leader = elector ?? new SoleLeader({ catalog, lead, clock, random, log }, { owner });
  const notReady = () => {
    const unsynced = sets.map(({ source }) => source).filter((source) => !source.synced());
    if (unsynced.length > 0) return `not synced yet: ${unsynced.map(({ kind }) => kind).join(', ')}`;
    if (!mirror.synced()) return 'not synced yet: catalog';
    return intentionMirror.synced() ? undefined : 'not synced yet: intentions at the servers';
  };
  const probes = config.metricsAddress && new ProbeServer({ metrics, notReady }, config.metricsAddress);
  for (const set of sets) exposeStaleness(metrics, set);
  const members: Runnable[] = [
    ...(probes ? [probes] : []),
    container.resolve(tokens.EVENTS),
    ...sets.flatMap(({ informers }) => informers),
    mirror,
    intentionMirror,
    leader,
  ];
  return { runnable: new RunGroup({ clock, log }, { name: 'operator', members }), probes, elector };
}

function registerParts(container: DependencyContainer, config: OperatorConfig, parts: OperatorParts): void {
  const register = <T>(token: InjectionToken<T>, make: (c: DependencyContainer) => T) =>
    container.register(token, { useFactory: instanceCachingFactory(make) });
  const informers = <T extends KubeObject>(resource: ResourceKind, strip: (object: KubeObject) => T) =>
    new InformerSet(parts, { resource, strip, namespaces: config.watchNamespaces });
  register(tokens.SERVICES, () => informers(SERVICES, stripResource<Service>));
  register(tokens.HEALTH_CHECKS, () => informers(HEALTH_CHECKS, stripResource<HealthCheck>));
  register(tokens.INTENTIONS, () => informers(INTENTIONS, stripResource<Intention>));
  register(tokens.PODS, () => informers(PODS, stripPod));
  register(tokens.SLICES, () => informers(ENDPOINT_SLICES, stripSlice));
  register(tokens.MIRROR, () => new CatalogMirror({ ...parts, client: parts.catalog }, { owner: config.owner }));
  register(
    tokens.INTENTION_MIRROR,
    () => new IntentionMirror({ ...parts, client: parts.intentions }, { owner: config.owner }),
  );
  register(tokens.EVENTS, () => new KubeEventRecorder(parts, { identity: config.identity }));
  register(tokens.SOURCES, (c) => ({
    services: c.resolve(tokens.SERVICES).source,
    healthChecks: c.resolve(tokens.HEALTH_CHECKS).source,
    pods: c.resolve(tokens.PODS).source,
    slices: c.resolve(tokens.SLICES).source,
  }));
  register(tokens.CONTROLLERS, (c) => {
    const target = (resource: ResourceKind, set: Pick<InformerSet<KubeObject>, 'offer' | 'renew'>) => ({
      resource,
      offer: (object: KubeObject) => set.offer(object),
      renew: (object: KubeObject) => set.renew(object),
    });
    const sink = new KubeStatusSink({
      api: parts.api,
      targets: {
        Service: target(SERVICES, c.resolve(tokens.SERVICES)),
        HealthCheck: target(HEALTH_CHECKS, c.resolve(tokens.HEALTH_CHECKS)),
        Intention: target(INTENTIONS, c.resolve(tokens.INTENTIONS)),
      },
    });
    const sources = c.resolve(tokens.SOURCES);
    const mirror = c.resolve(tokens.MIRROR);
    const events = c.resolve(tokens.EVENTS);
    const intentions = {
      source: c.resolve(tokens.INTENTIONS).source,
      mirror: c.resolve(tokens.INTENTION_MIRROR),
      client: parts.intentions,
    };
    return new ControllerSet(
      { ...parts, sources, mirror, intentions, events, sink },
      { ...config, source: 'kubernetes' },
    );
  });
}

function exposeStaleness(metrics: Metrics, set: InformerSet<KubeObject>): void {
  const kind = set.source.kind.replace(/[A-Z]/g, (letter, at) => (at > 0 ? '_' : '') + letter.toLowerCase());
  metrics.observedGauge(
    {
      name: `lictor_operator_${kind}_staleness_seconds`,
      help: `Time since the API server last said anything about ${set.source.kind} objects.`,
    },
    () => set.staleMs() / 1000,
  );
}
