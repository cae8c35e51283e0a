import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { RunContext, Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { CatalogClient } from '../catalog-client/catalog-client.ts';
import { withDeadline } from '../deadline.ts';
import type { Lease, LeaseApi, ObjectRef } from '../kube-api/kube-api.ts';
import { HeldLease } from './held-lease.ts';
import type { Leadership } from './leadership.ts';

export interface LeaderElectorDeps {
  readonly leases: LeaseApi;
  readonly catalog: Pick<CatalogClient, 'ownerState' | 'claimEpoch'>;
  /** What the leader does, until the signal aborts. Rejecting ends the process. */
  readonly lead: (leadership: Leadership, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface LeaderElectorOptions {
  readonly lease: ObjectRef;
  /** Unique to this process. */
  readonly identity: string;
  /** Whose epoch is claimed. */
  readonly owner: string;
  /** Others may take over when the lease was not renewed for so long. @default 15,000 */
  readonly leaseMs?: number;
  /** The leader stops writing when it could not renew for so long; shorter than `leaseMs`. @default 10,000 */
  readonly renewMs?: number;
  /** @default 2,000 */
  readonly retryMs?: number;
}

/** A process that ends waits no longer for its lease to be let go: well within what RunGroup grants. */
const RELEASE_MS = 3_000;

/**
 * Leads while it holds a Lease, stands by otherwise, and goes on doing so. The lease's transition count is the owner's
 * epoch at the servers, so that a leader that was paused and does not know that it was replaced is refused there.
 */
export class LeaderElector implements Runnable {
  readonly name = 'leader election';
  readonly #deps: LeaderElectorDeps;
  readonly #options: Required<LeaderElectorOptions>;
  #observed: { readonly record: string; readonly at: number } | undefined;
  #leading = false;

  constructor(deps: LeaderElectorDeps, options: LeaderElectorOptions) {
    this.#deps = deps;
    this.#options = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2_000, ...options };
    deps.metrics.observedGauge(
      { name: 'lictor_operator_leader', help: 'Whether this process is the leader (1) or stands by (0).' },
      () => (this.#leading ? 1 : 0),
    );
  }

  get leading(): boolean {
    return this.#leading;
  }

  async run(ctx: RunContext): Promise<void> {
    const { clock, log } = this.#deps;
    ctx.ready();
    while (!ctx.signal.aborted) {
      let held: HeldLease | undefined;
      try {
        held = await this.#acquire(ctx.signal);
      } catch (error) {
        const conflict = error instanceof AppError && error.code === 'conflict';
        if (!ctx.signal.aborted && !conflict) {
          log.warn('the lease could not be acquired', { lease: this.#options.lease.name, text: errorText(error) });
        }
      }
      if (held) await this.#term(held, ctx.signal);
      else await clock.sleep(this.#options.retryMs, ctx.signal);
    }
  }

  /** The lease, when it could be taken; undefined when another holds it. */
  async #acquire(signal: AbortSignal): Promise<HeldLease | undefined> {
    const { leases, catalog, clock } = this.#deps;
    const { lease: target, owner } = this.#options;
    const current = await leases.getLease(target, signal);
    if (current && !this.#isFree(current)) return undefined;
    const { Epoch } = await catalog.ownerState(owner);
    const epoch = Math.max(current?.spec.leaseTransitions ?? 0, Epoch) + 1;
    const startedAt = clock.monotonic();
    const wish = this.#leaseFor(current, epoch);
    const lease = current ? await leases.updateLease(wish, signal) : await leases.createLease(wish, signal);
    await catalog.claimEpoch({ Owner: owner, Epoch: epoch });
    return new HeldLease({ lease, epoch, clock, renewMs: this.#options.renewMs, startedAt });
  }

  /**
   * Free: nobody's, our own from before, or not renewed for its duration as far as we watched. A lease met for the first
   * time is also judged by its own time, so that a restart after a crash need not watch it out; should the clocks be
   * apart, the epoch still keeps the writes of two leaders apart.
   */
  #isFree(lease: Lease): boolean {
    const { holderIdentity, leaseDurationSeconds, renewTime } = lease.spec;
    if (!holderIdentity || holderIdentity === this.#options.identity) return true;
    const durationMs = (leaseDurationSeconds ?? this.#options.leaseMs / 1000) * 1000;
    const record = JSON.stringify(lease.spec);
    const now = this.#deps.clock.monotonic();
    if (this.#observed === undefined) {
      this.#observed = { record, at: now };
      return renewTime !== undefined && Date.parse(renewTime) + durationMs < this.#deps.clock.now();
    }
    if (this.#observed.record !== record) this.#observed = { record, at: now };
    return now - this.#observed.at >= durationMs;
  }

  #leaseFor(current: Lease | undefined, epoch: number): Lease {
    const { lease, identity, leaseMs } = this.#options;
    const now = microTime(this.#deps.clock.now());
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: current?.metadata ?? { name: lease.name, namespace: lease.namespace },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: Math.ceil(leaseMs / 1000),
        acquireTime: now,
        renewTime: now,
        leaseTransitions: epoch,
      },
    };
  }

  async #term(held: HeldLease, signal: AbortSignal): Promise<void> {
    const { log, lead } = this.#deps;
    const term = new AbortController();
    const onAbort = () => term.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) term.abort();
    held.onLost(() => term.abort());
    log.info('leading', { lease: this.#options.lease.name, epoch: held.epoch });
    this.#leading = true;
    try {
      await Promise.all([
        lead(held, term.signal).finally(() => term.abort()),
        this.#renewUntil(held, term.signal).finally(() => term.abort()),
      ]);
    } finally {
      this.#leading = false;
      signal.removeEventListener('abort', onAbort);
      log.info('no longer leading', { reason: held.lostReason ?? 'stopping' });
      if (held.lostReason === undefined) await this.#release(held);
    }
  }

  async #renewUntil(held: HeldLease, signal: AbortSignal): Promise<void> {
    const { clock, leases, log } = this.#deps;
    for (;;) {
      await clock.sleep(this.#options.retryMs, signal);
      if (signal.aborted) return;
      const startedAt = clock.monotonic();
      try {
        const spec = { ...held.lease.spec, renewTime: microTime(clock.now()) };
        held.renewed(await leases.updateLease({ ...held.lease, spec }, signal), startedAt);
      } catch (error) {
        if (signal.aborted) return;
        log.warn('the lease could not be renewed', { text: errorText(error) });
        if (error instanceof AppError && error.code === 'conflict') await this.#afterConflict(held, signal);
      }
      if (!held.valid) held.lost('the lease could not be renewed in time');
    }
  }

  /** Another has written the lease: the loss is certain only if it is not ours any more. */
  async #afterConflict(held: HeldLease, signal: AbortSignal): Promise<void> {
    const current = await this.#deps.leases.getLease(this.#options.lease, signal).catch(() => undefined);
    if (!current) return;
    const ours = current.spec.holderIdentity === this.#options.identity && current.spec.leaseTransitions === held.epoch;
    if (ours) held.replaced(current);
    else held.lost(`the lease is held by ${current.spec.holderIdentity ?? 'nobody'}`);
  }

  /** Lets another take over at once. The epoch stays. */
  async #release(held: HeldLease): Promise<void> {
    const spec = {
      ...held.lease.spec,
      holderIdentity: '',
      leaseDurationSeconds: 1,
      renewTime: microTime(this.#deps.clock.now()),
    };
    const { clock, leases } = this.#deps;
    try {
      const limit = { what: `letting go of the lease ${this.#options.lease.name}`, ms: RELEASE_MS };
      await withDeadline(clock, limit, (signal) => leases.updateLease({ ...held.lease, spec }, signal));
    } catch (error) {
      this.#deps.log.debug('the lease could not be released; it runs out by itself', { text: errorText(error) });
    }
  }
}

/** RFC 3339 with microseconds (metav1.MicroTime). */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
