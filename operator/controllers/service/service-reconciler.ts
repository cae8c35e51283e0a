import type { Clock } from '../../../core/clock.ts';
import { AppError } from '../../../core/errors.ts';
import type { Metrics } from '../../../core/metrics.ts';
import type { Service } from '../../../crds/types/index.ts';
import type { CatalogClient } from '../../catalog-client/catalog-client.ts';
import type { CatalogMirror, MirrorEntry } from '../../catalog-mirror/catalog-mirror.ts';
import { type ClusterView, catalogName } from '../../indexes/cluster-view.ts';
import type { Leadership } from '../../manager/leadership.ts';
import { type ObjectKey, objectKey, splitKey } from '../../object-source.ts';
import type { ConditionWish, ConditionWishes } from '../../status/conditions.ts';
import type { StatusWriter } from '../../status/status-writer.ts';
import type { DeleteEvidence } from '../../sweep-guard/delete-evidence.ts';
import type { SweepGuard } from '../../sweep-guard/sweep-guard.ts';
import { DONE, type Reconciler, type Result } from '../controller.ts';
import { Handovers, LEFT_AGAIN_MS } from '../handovers.ts';
import { allowsSweep, serviceKeyOfRef, serviceRef } from '../identity.ts';
import { HELD_MS, SWEEPING } from '../sweeping.ts';
import { diffPlan } from './diff-plan.ts';
import { InstanceWriter } from './instance-writer.ts';
import { type PlannedInstance, planRegistrations, type RegistrationPlan } from './plan-registrations.ts';
import { Rivals } from './rivals.ts';
import { serviceStatus } from './service-status.ts';

export interface ServiceReconcilerDeps {
  readonly cluster: ClusterView;
  readonly mirror: CatalogMirror;
  readonly catalog: CatalogClient;
  readonly leadership: Leadership;
  readonly guard: SweepGuard;
  readonly evidence: DeleteEvidence;
  readonly status: StatusWriter;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Called when the catalog shows what was decided for a Service, or the attempt failed: its HealthChecks follow. */
  readonly settled: (key: ObjectKey) => void;
}

export interface ServiceReconcilerOptions {
  /** `<kind>/<name>` under which entries are written, e.g. `kubernetes/prod`. */
  readonly owner: string;
  readonly externalNode: string;
  /** Where pods and slices come from, for the message when there are none. */
  readonly source: 'kubernetes' | 'folder';
}

/** A write whose echo does not come is looked after again after so long. */
const ECHO_MS = 16_000;
const AWAITING_ECHO: Result = { requeueAfterMs: ECHO_MS };

/** Brings the catalog's entries of one Service to what is declared and seen, then says so in its status. */
export class ServiceReconciler implements Reconciler {
  readonly kind = 'Service';
  readonly #deps: ServiceReconcilerDeps;
  readonly #options: ServiceReconcilerOptions;
  readonly #handovers: Handovers;
  readonly #writer: InstanceWriter;

  constructor(deps: ServiceReconcilerDeps, options: ServiceReconcilerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#handovers = new Handovers(deps);
    this.#writer = new InstanceWriter({ ...deps, handovers: this.#handovers }, options);
  }

  async reconcile(key: ObjectKey, signal: AbortSignal): Promise<Result> {
    const result = await this.#reconcile(key, signal).catch((error: unknown) => {
      this.#deps.settled(key);
      throw error;
    });
    if (result !== AWAITING_ECHO) this.#deps.settled(key);
    return result;
  }

  async #reconcile(key: ObjectKey, signal: AbortSignal): Promise<Result> {
    const { cluster, mirror, guard, evidence } = this.#deps;
    if (!cluster.synced() || !mirror.synced()) {
      throw new AppError('notSynced', 'what is declared and what the catalog holds is not known yet');
    }
    const service = cluster.sources.services.get(key);
    const ref = serviceRef(key);
    const holder = service ? cluster.nameHolder(service) : key;
    const plan = service && holder === key ? this.#plan(service, key) : NOTHING;
    const diff = diffPlan(ref, plan.instances, mirror, (subject) => evidence.has(subject));
    const sight = evidence.latest(ref);
    const rivals = new Rivals({ cluster, handovers: this.#handovers }, key, (other) => this.#planOf(other));
    const clash = this.#clashOf(diff.register, rivals);
    const taken = diff.remove.filter(({ key: entry, entry: of }) => rivals.takes(entry, of));
    const left = this.#handovers.leave(ref, taken);
    const surplus = diff.remove.filter(({ key: entry }) => !left.has(entry));
    const inferred = allowsSweep(service) ? [] : surplus.filter((removal) => removal.inferred);
    guard.visit(ref, inferred.length);
    const verdict = inferred.length > 0 ? guard.verdict(ref) : 'go';
    const remove = verdict === 'go' ? surplus : surplus.filter((removal) => !inferred.includes(removal));
    const register = diff.register.filter((planned) => !clash.has(planned.key));
    // What was seen took nothing away: it is no evidence for what comes later, however the registrations end.
    if (diff.remove.length === 0 && !diff.more) evidence.forget(ref);
    await this.#writer.apply(ref, { register, remove }, signal);
    if (verdict === 'go' && left.size === 0 && !diff.more) evidence.carriedOut(ref, sight);
    const again = againAfter({ held: verdict !== 'go' || clash.size > 0, left: left.size > 0, more: diff.more });
    if (!service) return again;
    const settling = plan.instances.some(
      ({ key: entry, hash }) => mirror.isPending(entry) || (!clash.has(entry) && mirror.hashOf(entry, ref) !== hash),
    );
    // The echo of our writes enqueues this key again; a status before it would be out of date at once.
    if (settling) return AWAITING_ECHO;
    const Ready = this.#ready(service, { holder, plan, verdict, held: inferred.length, clash });
    const result = await this.#write(service, verdict === 'go' ? { Ready } : { Ready, Reconciling: SWEEPING }, signal);
    return 'done' in result ? again : result;
  }

  async failed(
    key: ObjectKey,
    failure: { reason: string; message: string; terminal: boolean },
    signal: AbortSignal,
  ): Promise<Result> {
    const service = this.#deps.cluster.sources.services.get(key);
    if (!service) return DONE;
    const wish: ConditionWish = { status: 'True', reason: failure.reason, message: failure.message };
    const before = service.status?.conditions?.find(({ type }) => type === 'Ready');
    const Ready: ConditionWish = failure.terminal
      ? { status: 'False', reason: failure.reason, message: failure.message }
      : (before ?? { status: 'Unknown', reason: failure.reason, message: failure.message });
    return this.#write(service, failure.terminal ? { Ready, Stalled: wish } : { Ready, Reconciling: wish }, signal);
  }

  #plan(service: Service, key: ObjectKey): RegistrationPlan {
    const { cluster } = this.#deps;
    return planRegistrations(
      {
        service,
        pods: cluster.podsOf(service),
        slices: cluster.slicesOf(service),
        healthChecks: cluster.checksOf(key),
        hostAddress: (node) => cluster.hostAddress(node),
      },
      { namespace: cluster.catalogNamespace(splitKey(key).namespace), externalNode: this.#options.externalNode },
    );
  }

  /** What another Service declares, as far as it holds its name. */
  #planOf(key: ObjectKey): readonly PlannedInstance[] {
    const { cluster } = this.#deps;
    const service = cluster.sources.services.get(key);
    return service && cluster.nameHolder(service) === key ? this.#plan(service, key).instances : [];
  }

  /** Planned entries whose identity another living Service of ours holds: only explicit ids can meet so. */
  #clashOf(planned: readonly PlannedInstance[], rivals: Rivals): Map<string, ObjectKey> {
    const clash = new Map<string, ObjectKey>();
    for (const { key } of planned) {
      const holder = serviceKeyOfRef(this.#deps.mirror.get(key)?.ref ?? '');
      if (holder !== undefined && rivals.wants(holder, key)) clash.set(key, holder);
    }
    return clash;
  }

  #ready(
    service: Service,
    found: {
      holder: ObjectKey;
      plan: RegistrationPlan;
      verdict: string;
      held: number;
      clash: ReadonlyMap<string, ObjectKey>;
    },
  ): ConditionWish {
    const name = catalogName(service);
    if (found.holder !== keyOfService(service)) {
      const message = `the name ${name} is held by Service ${found.holder}, which is older; choose another spec.serviceName`;
      return { status: 'False', reason: 'NameTaken', message };
    }
    const held = found.verdict === 'held';
    const [problem] = found.plan.problems;
    if (problem !== undefined) {
      // Before a sweep that is held back, of which it may be the cause: what goes then has not gone.
      const advice = 'give that port the name, or spec.ports the name or number that it has';
      const rest = held
        ? `; ${found.held} instances stay meanwhile: ${this.#deps.guard.describe()}; if they shall go, ${ALLOW_SWEEP}`
        : '';
      return { status: 'False', reason: 'PortNotFound', message: `${problem}; ${advice}${rest}` };
    }
    if (held) {
      const message = `${found.held} instances are no longer there, but ${this.#deps.guard.describe()}; if that is right, ${ALLOW_SWEEP}`;
      return { status: 'False', reason: 'SweepHeld', message };
    }
    for (const [, holder] of found.clash) {
      const message = `an instance id is used by Service ${holder} on the same node; give spec.instances other ids`;
      return { status: 'False', reason: 'InstanceIdTaken', message };
    }
    const count = found.plan.instances.length;
    if (count === 0) return this.#noInstances(service);
    return {
      status: 'True',
      reason: 'Registered',
      message: `${count} ${count === 1 ? 'instance is' : 'instances are'} in the catalog`,
    };
  }

  #noInstances({ spec }: Service): ConditionWish {
    const what = spec.kubernetesService
      ? `EndpointSlice of Service ${spec.kubernetesService}`
      : spec.selector
        ? 'pod that the selector takes'
        : 'instance';
    if (this.#options.source === 'folder' && !spec.instances) {
      const message = `the folder holds no ${what}; without Kubernetes list the instances in spec.instances`;
      return { status: 'False', reason: 'NoSource', message };
    }
    return { status: 'True', reason: 'NoInstances', message: `there is no ${what}` };
  }

  #write(service: Service, wishes: ConditionWishes, signal: AbortSignal): Promise<Result> {
    const { mirror, clock, status } = this.#deps;
    const entries: MirrorEntry[] = [];
    for (const [, entry] of mirror.byRef(serviceRef(keyOfService(service)))) entries.push(entry);
    const next = serviceStatus(service, entries, wishes, isoSeconds(clock.now()));
    return status.write(service, next, signal);
  }
}

/** When to look again at what is not done yet, as nothing tells that it could be. */
function againAfter({ held, left, more }: { held: boolean; left: boolean; more: boolean }): Result {
  if (left) return { requeueAfterMs: LEFT_AGAIN_MS };
  if (more) return { requeueAfterMs: ECHO_MS };
  return held ? { requeueAfterMs: HELD_MS } : DONE;
}

const NOTHING: RegistrationPlan = { instances: [], problems: [] };

const ALLOW_SWEEP = 'annotate this Service with lictor.dev/allow-sweep=true';

function keyOfService({ metadata }: Service): ObjectKey {
  return objectKey(metadata.namespace ?? 'default', metadata.name);
}

/** RFC 3339 without fractions, as Kubernetes writes times. */
export function isoSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
