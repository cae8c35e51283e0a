import type { Clock } from '../../core/clock.ts';
import type { RecursorAddress } from './exchange.ts';

/** So long one that did not answer is asked after the others. */
const REST_MS = 10_000;

/** In which order recursors are asked: as given, those that were silent lately last. */
export class RecursorOrder {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #restsUntil = new Map<RecursorAddress, number>();
  readonly #answeredAt = new Map<RecursorAddress, number>();

  constructor(deps: { readonly clock: Pick<Clock, 'monotonic'> }) {
    this.#clock = deps.clock;
  }

  /** For the question that is about to be asked: it alone tries one whose rest is over. */
  of(addresses: readonly RecursorAddress[]): RecursorAddress[] {
    const now = this.#clock.monotonic();
    const rests = (address: RecursorAddress) => now < (this.#restsUntil.get(address) ?? 0);
    const order = [...addresses.filter((address) => !rests(address)), ...addresses.filter(rests)];
    for (const [address, until] of this.#restsUntil) if (now >= until) this.#restsUntil.set(address, now + REST_MS);
    return order;
  }

  /** It said something, whatever that was. */
  answered(address: RecursorAddress): void {
    this.#answeredAt.set(address, this.#clock.monotonic());
    this.#restsUntil.delete(address);
  }

  /** It did not answer a question of `sinceMs` (monotonic). One that answered another question meanwhile is well. */
  silent(address: RecursorAddress, sinceMs: number): void {
    if ((this.#answeredAt.get(address) ?? Number.NEGATIVE_INFINITY) >= sinceMs) return;
    this.#restsUntil.set(address, this.#clock.monotonic() + REST_MS);
  }
}
