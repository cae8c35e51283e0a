import { type CoordinateEntry, ORIGIN } from '../../api/shapes/coordinate.ts';
import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { CoordinateTable } from './coordinate-table.ts';

export interface OwnCoordinateDeps {
  readonly state: Pick<CatalogState, 'node'>;
  readonly table: Pick<CoordinateTable, 'stored'>;
  readonly update: (entry: CoordinateEntry) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

const EVERY_MS = 15_000;
/** The node registers itself in these first moments. */
const FIRST_TRIES_MS = 250;

/** Sees to it that this server's node has a coordinate: the origin until something is measured. */
export class OwnCoordinate implements Runnable {
  readonly name = 'own-coordinate';
  readonly #deps: OwnCoordinateDeps;
  readonly #nodeName: string;

  constructor(deps: OwnCoordinateDeps, options: { nodeName: string }) {
    this.#deps = deps;
    this.#nodeName = options.nodeName;
  }

  async run(ctx: RunContext): Promise<void> {
    ctx.ready();
    while (!ctx.signal.aborted) {
      // A write that never ends must not hold up the end.
      const there = this.#there() || (await Promise.race([this.#write(), aborted(ctx.signal).then(() => true)]));
      await this.#deps.clock.sleep(there ? EVERY_MS : FIRST_TRIES_MS, ctx.signal);
    }
  }

  #there(): boolean {
    return this.#deps.table.stored(this.#nodeName, '') !== undefined;
  }

  async #write(): Promise<boolean> {
    const { state, update, log } = this.#deps;
    if (!state.node(this.#nodeName)) return false;
    try {
      await update({ Node: this.#nodeName, Segment: '', Coord: ORIGIN });
      return true;
    } catch (error) {
      log.debug('the own coordinate could not be written', { text: errorText(error) });
      return false;
    }
  }
}
