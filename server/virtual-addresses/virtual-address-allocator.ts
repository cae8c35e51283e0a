import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import { meshDestination } from '../catalog/lookups.ts';
import { type Plan, PlanBuilder } from '../catalog/plan.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { StateWriter } from '../catalog/state-writer.ts';
import { type VirtualAddressTable, virtualAddress, virtualRest } from './virtual-address-table.ts';

export interface AllocatorDeps {
  readonly state: CatalogState;
  readonly writer: Pick<StateWriter, 'write'>;
  readonly table: VirtualAddressTable;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Services of one transaction: far below what a store takes. */
const MAX_BATCH = 50;
const RETRY_MS = 1_000;

/**
 * Gives each service an address as soon as one of its instances is in the mesh. It is never taken away again: who comes
 * back finds its own, and no client that still knows it reaches somebody else.
 */
export class VirtualAddressAllocator implements Runnable {
  readonly name = 'virtual-addresses';
  readonly #deps: AllocatorDeps;
  /** Services without an address, named by what the state showed: never more than there are. */
  readonly #missing = new Set<string>();
  #wake = () => {};

  constructor(deps: AllocatorDeps) {
    this.#deps = deps;
  }

  async run(ctx: RunContext): Promise<void> {
    const { state } = this.#deps;
    const stops = [
      state.onReset(() => this.#noteAll()),
      state.onChanges((changes) => {
        for (const after of changes.instancesAfter.values()) if (after) this.#note(meshDestination(after));
      }),
    ];
    this.#noteAll();
    ctx.ready();
    const stopped = aborted(ctx.signal);
    while (!ctx.signal.aborted) {
      if (this.#missing.size > 0) await Promise.race([this.#allocate(ctx.signal), stopped]);
      else await this.#next(ctx.signal);
    }
    for (const stop of stops) stop();
  }

  #next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        signal.removeEventListener('abort', end);
        this.#wake = () => {};
        resolve();
      };
      this.#wake = end;
      signal.addEventListener('abort', end, { once: true });
    });
  }

  #noteAll(): void {
    for (const node of this.#deps.state.nodeEntries()) {
      for (const instance of node.instances.values()) this.#note(meshDestination(instance));
    }
  }

  #note(service: string | undefined): void {
    if (service === undefined || this.#deps.table.number(service)) return;
    this.#missing.add(service);
    this.#wake();
  }

  async #allocate(signal: AbortSignal): Promise<void> {
    const batch = [...this.#missing].slice(0, MAX_BATCH);
    try {
      await this.#deps.writer.write(() => this.#plan(batch));
      for (const service of batch) this.#missing.delete(service);
    } catch (error) {
      this.#deps.log.warn('virtual addresses could not be given; trying again', { text: errorText(error) });
      await this.#deps.clock.sleep(RETRY_MS, signal);
    }
  }

  #plan(services: readonly string[]): Plan {
    const { state, table } = this.#deps;
    const plan = new PlanBuilder();
    let number = table.last?.record ?? 0;
    for (const service of services) {
      if (table.number(service)) continue;
      number++;
      virtualAddress(number);
      plan.putBytes(state.keys.table(table.segment, virtualRest.service(service)), undefined, String(number));
    }
    if (number !== (table.last?.record ?? 0)) plan.putBytes(this.#lastKey(), table.last, String(number));
    return plan.build();
  }

  #lastKey(): string {
    const { state, table } = this.#deps;
    return state.keys.table(table.segment, virtualRest.last);
  }
}
