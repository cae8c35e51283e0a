import { AppError } from '../../core/errors.ts';
import type { Compare, Op, Revision, Store } from '../../store/store.ts';
import { GENERATION_KEY } from '../catalog/keys.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { Leadership } from '../leadership/leadership.ts';

export interface FootingDeps {
  readonly store: Store;
  readonly state: CatalogState;
  readonly leadership: Pick<Leadership, 'fence'>;
}

/**
 * What a restore stands on: who leads, and which catalog counts. Taken once, at its beginning, and compared by each of
 * its transactions. A server that is stopped in the middle, and goes on after another one was elected, changes nothing
 * any more; not even when it leads again by then, because the one in between may have deleted what it has written.
 */
export class Footing {
  /** The generation that is the catalog. */
  readonly generation: string;
  readonly #store: Store;
  readonly #fence: readonly Compare[];
  readonly #catalog: Compare;

  private constructor(
    store: Store,
    fence: readonly Compare[],
    catalog: { readonly generation: string; readonly revision: Revision },
  ) {
    this.generation = catalog.generation;
    this.#store = store;
    this.#fence = fence;
    this.#catalog = { kind: 'key', key: GENERATION_KEY, modRevision: catalog.revision };
  }

  /** As it is now. @throws AppError `noLeader`. */
  static take({ store, state, leadership }: FootingDeps): Footing {
    const { generation, generationRevision: revision } = state;
    return new Footing(store, leadership.fence(), { generation, revision });
  }

  /** After the same leader has made another generation the catalog. */
  moved(generation: string, revision: Revision): Footing {
    return new Footing(this.#store, this.#fence, { generation, revision });
  }

  /** @throws AppError `noLeader`, `conflict` when it holds no longer, and nothing was done; what the store throws. */
  async commit(ops: readonly Op[]): Promise<Revision> {
    const result = await this.#store.commit({ compares: [...this.#fence, this.#catalog], ops });
    if (result.ok) return result.revision;
    if (result.failedCompare < this.#fence.length) {
      throw new AppError(
        'noLeader',
        'No cluster leader: another server was elected during the restore; nothing is lost, the catalog is as that one has it: try again',
      );
    }
    throw new AppError(
      'conflict',
      'another restore came first; nothing is lost, the catalog is what that one has brought: try again if this archive is to take its place',
    );
  }
}
