import type { Clock } from '../../core/clock.ts';
import { type RunContext, RunGroup } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import type { CatalogClient } from '../catalog-client/catalog-client.ts';
import type { CatalogMirror } from '../catalog-mirror/catalog-mirror.ts';
import { Controller, type Reconciler } from '../controllers/controller.ts';
import { HealthCheckReconciler } from '../controllers/health-check/health-check-reconciler.ts';
import { ServiceReconciler } from '../controllers/service/service-reconciler.ts';
import { Triggers } from '../controllers/triggers.ts';
import type { EventRecorder } from '../events/event-recorder.ts';
import { type ClusterSources, ClusterView, type NamespaceMapping } from '../indexes/cluster-view.ts';
import { type StatusSink, StatusWriter } from '../status/status-writer.ts';
import { DeleteEvidence } from '../sweep-guard/delete-evidence.ts';
import { SweepGuard, type SweepGuardOptions } from '../sweep-guard/sweep-guard.ts';
import { WorkQueue } from '../work-queue/work-queue.ts';
import { IntentionControllers, type IntentionParts } from './intention-controllers.ts';
import type { Leadership } from './leadership.ts';

export interface ControllerSetDeps {
  readonly sources: ClusterSources;
  readonly mirror: CatalogMirror;
  readonly catalog: CatalogClient;
  readonly intentions: IntentionParts;
  readonly sink: StatusSink;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface ControllerSetOptions extends SweepGuardOptions {
  readonly owner: string;
  readonly externalNode: string;
  readonly namespaces: NamespaceMapping;
  readonly source: 'kubernetes' | 'folder';
  /** Keys of each kind worked on at the same time. @default 32 */
  readonly workers?: number;
}

/** How often to look whether everything is synced; that happens once in a term. */
const SYNC_POLL_MS = 20;

/** Everything that a leader runs, made anew for each term so that nothing of an old one is left. */
export class ControllerSet {
  readonly #deps: ControllerSetDeps;
  readonly #options: ControllerSetOptions;

  constructor(deps: ControllerSetDeps, options: ControllerSetOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Reconciles until the signal aborts; each part begins when what it reads is synced. */
  async lead(leadership: Leadership, signal: AbortSignal): Promise<void> {
    const { clock, log, intentions } = this.#deps;
    const status = new StatusWriter({ ...this.#deps, leadership });
    const group = new RunGroup(
      { clock, log },
      {
        name: 'controllers',
        members: [
          { name: 'controllers of services', run: (ctx) => this.#services(ctx, leadership, status) },
          new IntentionControllers({ ...this.#deps, ...intentions, leadership, status }, this.#options),
        ],
      },
    );
    await group.run({ signal, ready: () => {} });
  }

  async #services({ signal, ready }: RunContext, leadership: Leadership, status: StatusWriter): Promise<void> {
    const { sources, mirror, clock, log, metrics } = this.#deps;
    ready();
    const synced = () => mirror.synced() && Object.values(sources).every((source) => source.synced());
    while (!synced() && !signal.aborted) await clock.sleep(SYNC_POLL_MS, signal);
    if (signal.aborted) return;
    const cluster = new ClusterView(sources, { namespaces: this.#options.namespaces });
    const guard = new SweepGuard({ total: () => mirror.size, log, metrics }, this.#options);
    const evidence = new DeleteEvidence({ clock });
    const queues = {
      services: this.#queue('service', () => triggers.serviceKeys()),
      healthChecks: this.#queue('health-check', () => triggers.healthCheckKeys()),
    };
    const triggers = new Triggers({ cluster, mirror, guard, evidence, ...queues });
    const services = new ServiceReconciler(
      { ...this.#deps, cluster, leadership, guard, evidence, status, settled: (key) => triggers.settled(key) },
      this.#options,
    );
    const healthChecks = new HealthCheckReconciler({ cluster, mirror, status, clock });
    const group = new RunGroup(
      { clock, log },
      {
        name: 'controllers of services',
        members: [this.#controller(healthChecks, queues.healthChecks), this.#controller(services, queues.services)],
      },
    );
    try {
      triggers.all();
      await group.run({ signal, ready: () => {} });
    } finally {
      triggers.close();
      cluster.close();
    }
  }

  #queue(name: string, allKeys: () => Iterable<string | undefined>): WorkQueue {
    return new WorkQueue(this.#deps, { name, allKeys });
  }

  #controller(reconciler: Reconciler, queue: WorkQueue): Controller {
    return new Controller({ ...this.#deps, reconciler, queue }, { workers: this.#options.workers });
  }
}
