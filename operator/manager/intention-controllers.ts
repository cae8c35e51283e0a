import type { Clock } from '../../core/clock.ts';
import type { RunContext, Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import type { Intention } from '../../crds/types/index.ts';
import type { CatalogClient } from '../catalog-client/catalog-client.ts';
import { Controller } from '../controllers/controller.ts';
import { IntentionReconciler } from '../controllers/intention/intention-reconciler.ts';
import { IntentionTriggers } from '../controllers/intention/intention-triggers.ts';
import type { NamespaceMapping } from '../indexes/cluster-view.ts';
import { IntentionView } from '../indexes/intention-view.ts';
import type { IntentionClient } from '../intention-client/intention-client.ts';
import type { IntentionMirror } from '../intention-mirror/intention-mirror.ts';
import type { ObjectSource } from '../object-source.ts';
import type { StatusWriter } from '../status/status-writer.ts';
import { DeleteEvidence } from '../sweep-guard/delete-evidence.ts';
import { INTENTION_ENTRIES, SweepGuard, type SweepGuardOptions } from '../sweep-guard/sweep-guard.ts';
import { WorkQueue } from '../work-queue/work-queue.ts';
import type { Leadership } from './leadership.ts';

/** What Intentions are read from and written to. */
export interface IntentionParts {
  readonly source: ObjectSource<Intention>;
  readonly mirror: IntentionMirror;
  readonly client: IntentionClient;
}

export interface IntentionControllersDeps extends IntentionParts {
  readonly catalog: Pick<CatalogClient, 'ownerState'>;
  readonly leadership: Leadership;
  readonly status: StatusWriter;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface IntentionControllersOptions extends SweepGuardOptions {
  readonly owner: string;
  readonly namespaces: NamespaceMapping;
  readonly workers?: number;
}

/** How often to look whether everything is synced; that happens once in a term. */
const SYNC_POLL_MS = 20;

/**
 * What a leader runs for Intentions. It begins when the Intentions and the servers' entries were read completely, and is
 * apart from Services, which go on when either cannot be read.
 */
export class IntentionControllers implements Runnable {
  readonly name = 'controllers of intentions';
  readonly #deps: IntentionControllersDeps;
  readonly #options: IntentionControllersOptions;

  constructor(deps: IntentionControllersDeps, options: IntentionControllersOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  async run(ctx: RunContext): Promise<void> {
    const { source, mirror, clock, log, metrics } = this.#deps;
    ctx.ready();
    while (!(source.synced() && mirror.synced()) && !ctx.signal.aborted) await clock.sleep(SYNC_POLL_MS, ctx.signal);
    if (ctx.signal.aborted) return;
    const view = new IntentionView(source, this.#options);
    const guard = new SweepGuard({ total: () => mirror.size, log, metrics }, this.#options, INTENTION_ENTRIES);
    const evidence = new DeleteEvidence({ clock });
    const queue = new WorkQueue(this.#deps, { name: 'intention', allKeys: () => triggers.keys() });
    const triggers = new IntentionTriggers({ view, mirror, guard, evidence, queue });
    const reconciler = new IntentionReconciler({ ...this.#deps, view, guard, evidence }, this.#options);
    const controller = new Controller({ ...this.#deps, reconciler, queue }, { workers: this.#options.workers });
    try {
      triggers.all();
      await controller.run({ signal: ctx.signal, ready: () => {} });
    } finally {
      triggers.close();
      view.close();
    }
  }
}
