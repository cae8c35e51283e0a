import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { Lease } from '../kube-api/kube-api.ts';
import type { Leadership } from './leadership.ts';

/** A lease in our hands. Its age is taken from the monotonic clock, which goes on while the process is paused. */
export class HeldLease implements Leadership {
  readonly epoch: number;
  readonly #clock: Clock;
  readonly #renewMs: number;
  readonly #lost: (() => void)[] = [];
  #lease: Lease;
  #validUntil: number;
  lostReason: string | undefined;

  constructor(from: { lease: Lease; epoch: number; clock: Clock; renewMs: number; startedAt: number }) {
    this.epoch = from.epoch;
    this.#lease = from.lease;
    this.#clock = from.clock;
    this.#renewMs = from.renewMs;
    this.#validUntil = from.startedAt + from.renewMs;
  }

  get lease(): Lease {
    return this.#lease;
  }
  get valid(): boolean {
    return this.lostReason === undefined && this.#clock.monotonic() < this.#validUntil;
  }

  check(): void {
    if (this.valid) return;
    const reason = this.lostReason ?? 'the lease was not renewed in time';
    this.lost(reason);
    throw new AppError('staleEpoch', `this operator does not lead any more: ${reason}`);
  }

  lost(reason: string): void {
    if (this.lostReason !== undefined) return;
    this.lostReason = reason;
    for (const handler of this.#lost) handler();
  }

  onLost(handler: () => void): void {
    this.#lost.push(handler);
    if (this.lostReason !== undefined) handler();
  }

  /** A renewal counts from when it was asked for. */
  renewed(lease: Lease, startedAt: number): void {
    this.#lease = lease;
    this.#validUntil = startedAt + this.#renewMs;
  }

  replaced(lease: Lease): void {
    this.#lease = lease;
  }
}
