import type { WriterIdentity } from '../../../api/shapes/registration.ts';
import { AppError } from '../../../core/errors.ts';
import type { CounterMetric, Metrics } from '../../../core/metrics.ts';
import type { CatalogClient } from '../../catalog-client/catalog-client.ts';
import type { CatalogMirror } from '../../catalog-mirror/catalog-mirror.ts';
import type { Leadership } from '../../manager/leadership.ts';
import type { DeleteEvidence } from '../../sweep-guard/delete-evidence.ts';
import { TerminalError } from '../controller.ts';
import type { Handovers } from '../handovers.ts';
import { isRefusal } from '../refusal.ts';
import type { PlanDiff, Removal } from './diff-plan.ts';
import type { PlannedInstance } from './plan-registrations.ts';

export interface InstanceWriterDeps {
  readonly mirror: CatalogMirror;
  readonly catalog: CatalogClient;
  readonly leadership: Leadership;
  readonly evidence: DeleteEvidence;
  readonly handovers: Handovers;
  readonly metrics: Metrics;
}

/** Writes of one Service at the same time; those of all share the client's connections. */
const PARALLEL = 16;

/** Sends the registrations and removals of one declaring object to the catalog. */
export class InstanceWriter {
  readonly #deps: InstanceWriterDeps;
  readonly #owner: string;
  readonly #writes: CounterMetric;

  constructor(deps: InstanceWriterDeps, options: { readonly owner: string }) {
    this.#deps = deps;
    this.#owner = options.owner;
    this.#writes = deps.metrics.counter({
      name: 'lictor_operator_catalog_writes_total',
      help: 'Registrations and deregistrations sent to the servers.',
      labels: ['operation'],
    });
  }

  /**
   * Sends all writes, then rejects with a failure, so that one bad instance does not hold up the others: with one that may pass
   * rather than with one that will not, as only then all is tried again. None is under way any more when it ends, however it
   * ends: whoever tries again is alone.
   * @throws AppError `deadline` when the signal aborts before all were sent.
   */
  async apply(ref: string, diff: Omit<PlanDiff, 'more'>, signal: AbortSignal): Promise<void> {
    const tasks = [
      ...diff.register.map((planned) => () => this.#register(ref, planned, signal)),
      ...diff.remove.map((removal) => () => this.#remove(ref, removal, signal)),
    ];
    const failures: unknown[] = [];
    const next = tasks.values();
    let left = tasks.length;
    const lane = async () => {
      // A lane that is told to stop takes no further task; it must not reject, which would leave the others alone.
      while (!signal.aborted) {
        const { value: task } = next.next();
        if (!task) return;
        left--;
        await task().catch((error: unknown) => {
          failures.push(this.#explained(error));
        });
      }
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, tasks.length) }, lane));
    if (left > 0) throw new AppError('deadline', `the writes of ${ref} were not done in time`);
    if (failures.length > 0) throw failures.find((failure) => !(failure instanceof TerminalError)) ?? failures[0];
  }

  async #register(ref: string, planned: PlannedInstance, signal: AbortSignal): Promise<void> {
    const { leadership, catalog, mirror, handovers } = this.#deps;
    const { key, registration, hash } = planned;
    leadership.check();
    this.#writes.add(1, { operation: 'register' });
    try {
      await mirror.write(key, { ref, hash }, () => catalog.register(registration, this.#writer(ref, hash), signal));
    } catch (error) {
      if (isRefusal(error)) handovers.refused(ref, planned);
      throw error;
    }
    handovers.taken(planned);
  }

  async #remove(ref: string, { key, entry }: Removal, signal: AbortSignal): Promise<void> {
    const { leadership, catalog, mirror, evidence } = this.#deps;
    const { node: Node, id: ServiceID, namespace } = entry;
    const target = { Node, ServiceID, ...(namespace === 'default' ? {} : { Namespace: namespace }) };
    leadership.check();
    this.#writes.add(1, { operation: 'deregister' });
    try {
      await mirror.write(key, { ref, hash: undefined }, () => catalog.deregister(target, this.#writer(ref), signal));
    } catch (error) {
      // Another took the entry over: it is no longer ours to remove, which is as good.
      if (!(error instanceof AppError && error.code === 'notOwner')) throw error;
      return;
    }
    evidence.forget(ServiceID);
  }

  #writer(ref: string, hash?: string): WriterIdentity {
    const { epoch } = this.#deps.leadership;
    return { owner: this.#owner, epoch, ref, ...(hash === undefined ? {} : { hash }) };
  }

  #explained(error: unknown): unknown {
    if (!(error instanceof AppError)) return error;
    if (error.code === 'staleEpoch') this.#deps.leadership.lost(error.message);
    return isRefusal(error) ? new TerminalError('Refused', error.message) : error;
  }
}
