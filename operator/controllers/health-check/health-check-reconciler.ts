import type { Clock } from '../../../core/clock.ts';
import type { HealthCheck } from '../../../crds/types/index.ts';
import type { CatalogMirror } from '../../catalog-mirror/catalog-mirror.ts';
import { type ClusterView, serviceKeyOf } from '../../indexes/cluster-view.ts';
import type { ObjectKey } from '../../object-source.ts';
import type { ConditionWish, ConditionWishes } from '../../status/conditions.ts';
import { readyOf } from '../../status/conditions.ts';
import type { StatusWriter } from '../../status/status-writer.ts';
import { DONE, type Reconciler, type Result } from '../controller.ts';
import { checkId, serviceRef } from '../identity.ts';
import { isoSeconds } from '../service/service-reconciler.ts';
import { declaredPort } from './check-definition.ts';
import { type CheckOnInstance, healthCheckStatus } from './health-check-status.ts';

/**
 * Shows in a HealthCheck's status what its checks say. Its definitions are written with the instances, by the
 * ServiceReconciler, so that an instance is never in the catalog without its checks.
 */
export class HealthCheckReconciler implements Reconciler {
  readonly kind = 'HealthCheck';
  readonly #deps: { cluster: ClusterView; mirror: CatalogMirror; status: StatusWriter; clock: Clock };

  constructor(deps: { cluster: ClusterView; mirror: CatalogMirror; status: StatusWriter; clock: Clock }) {
    this.#deps = deps;
  }

  async reconcile(key: ObjectKey, signal: AbortSignal): Promise<Result> {
    const object = this.#deps.cluster.sources.healthChecks.get(key);
    if (!object) return DONE; // its definitions go when its Service is reconciled
    const { checks, missing } = this.#checksOf(object);
    return this.#write(object, checks, this.#wishes(object, checks.length, missing), signal);
  }

  async failed(
    key: ObjectKey,
    failure: { reason: string; message: string; terminal: boolean },
    signal: AbortSignal,
  ): Promise<Result> {
    const object = this.#deps.cluster.sources.healthChecks.get(key);
    if (!object) return DONE;
    const wish: ConditionWish = { status: 'True', reason: failure.reason, message: failure.message };
    const Ready = readyOf(object.status) ?? { ...wish, status: 'Unknown' as const };
    const { checks } = this.#checksOf(object);
    return this.#write(
      object,
      checks,
      failure.terminal ? { Ready, Stalled: wish } : { Ready, Reconciling: wish },
      signal,
    );
  }

  #checksOf(object: HealthCheck): { checks: CheckOnInstance[]; missing: number } {
    const checks: CheckOnInstance[] = [];
    let missing = 0;
    for (const [, entry] of this.#deps.mirror.byRef(serviceRef(serviceKeyOf(object)))) {
      const id = checkId(object, entry.id);
      const check = entry.checks.find((each) => each.id === id);
      if (check) checks.push({ entry, check });
      else missing++;
    }
    return { checks, missing };
  }

  #wishes(object: HealthCheck, standing: number, missing: number): ConditionWishes {
    const { cluster } = this.#deps;
    const serviceKey = serviceKeyOf(object);
    const service = cluster.sources.services.get(serviceKey);
    const { name } = object.spec.serviceRef;
    if (!service) {
      const message = `there is no Service ${name} in namespace ${object.metadata.namespace ?? 'default'}`;
      return { Ready: { status: 'False', reason: 'ServiceNotFound', message } };
    }
    const port = declaredPort(object.spec);
    const names = service.spec.ports?.map((each) => each.name);
    if (typeof port === 'string' && names && !names.includes(port)) {
      const message = `Service ${name} has no port named "${port}"; it has ${names.join(', ')}`;
      return { Ready: { status: 'False', reason: 'PortNotFound', message } };
    }
    if (missing > 0) {
      const wish = {
        reason: 'Registering',
        message: `the check is not on ${missing} of ${standing + missing} instances yet`,
      };
      return { Ready: { status: 'False', ...wish }, Reconciling: { status: 'True', ...wish } };
    }
    if (standing === 0) {
      return { Ready: { status: 'True', reason: 'NoInstances', message: `Service ${name} has no instances` } };
    }
    const message = `the check is on ${standing} ${standing === 1 ? 'instance' : 'instances'}`;
    return { Ready: { status: 'True', reason: 'Registered', message } };
  }

  #write(
    object: HealthCheck,
    checks: readonly CheckOnInstance[],
    wishes: ConditionWishes,
    signal: AbortSignal,
  ): Promise<Result> {
    const { status, clock } = this.#deps;
    return status.write(object, healthCheckStatus(object, checks, wishes, isoSeconds(clock.now())), signal);
  }
}
