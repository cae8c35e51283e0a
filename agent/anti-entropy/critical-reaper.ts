import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import type { RunContext, Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import { deregisterAfterMs } from '../checks/probe-plan.ts';
import { type LocalCheck, localKey } from '../local-state/local-records.ts';
import type { ServerCatalog } from '../server-pool/server-catalog.ts';

export interface CriticalReaperDeps {
  readonly local: {
    checks(): Iterable<LocalCheck>;
    check(key: string): LocalCheck | undefined;
    deregisterService(namespace: string, id: string): Promise<boolean>;
  };
  readonly catalog: Pick<ServerCatalog, 'deregister'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Consul looks every 30 s. */
const SWEEP_MS = 30_000;

/**
 * Removes services whose check has been critical for longer than its deregister_critical_service_after, counted while
 * this agent runs.
 */
export class CriticalReaper implements Runnable {
  readonly name = 'critical-reaper';
  readonly #deps: CriticalReaperDeps;
  readonly #nodeName: string;

  constructor(deps: CriticalReaperDeps, options: { nodeName: string }) {
    this.#deps = deps;
    this.#nodeName = options.nodeName;
  }

  async run(ctx: RunContext): Promise<void> {
    ctx.ready();
    while (!ctx.signal.aborted) {
      await this.#deps.clock.sleep(SWEEP_MS, ctx.signal);
      if (!ctx.signal.aborted) await this.#sweep();
    }
  }

  async #sweep(): Promise<void> {
    const { local, clock } = this.#deps;
    const reaped = new Set<string>();
    for (const key of [...local.checks()].map(({ namespace, checkId }) => localKey(namespace, checkId))) {
      // Read when its turn comes: while another service was removed it may have recovered, or gone.
      const check = local.check(key);
      if (!check || check.serviceId === '' || !isOverdue(check, clock.monotonic())) continue;
      const service = localKey(check.namespace, check.serviceId);
      if (reaped.has(service)) continue;
      reaped.add(service);
      const fields = { service: check.serviceId, check: check.checkId };
      try {
        await this.#reap(check);
        this.#deps.log.info('a service was removed because its check stayed critical', fields);
      } catch (error) {
        this.#deps.log.warn('a service with a critical check could not be removed; trying again', {
          ...fields,
          text: errorText(error),
        });
      }
    }
  }

  async #reap(check: LocalCheck): Promise<void> {
    if (check.origin !== 'assigned') {
      await this.#deps.local.deregisterService(check.namespace, check.serviceId);
      return;
    }
    // An explicit removal follows rights, not ownership: it is done in nobody's name.
    await this.#deps.catalog.deregister(
      { Node: this.#nodeName, ServiceID: check.serviceId, Namespace: check.namespace },
      { owner: '', epoch: 0 },
    );
  }
}

function isOverdue(check: LocalCheck, now: number): boolean {
  if (check.criticalSinceMs === undefined) return false;
  try {
    const afterMs = deregisterAfterMs(check.definition);
    return afterMs !== undefined && now - check.criticalSinceMs >= afterMs;
  } catch {
    // A definition that cannot be read is critical with that reason and removes nothing.
    return false;
  }
}
