import type { Op, StoreTraits } from '../../store/store.ts';
import type { Footing } from './footing.ts';

/** Of one transaction: small enough to let other writers in between. */
const BATCH_OPS = 512;
const BATCH_BYTES = 512 * 1024;

/** Operations committed in pieces of bounded size, each only while the footing holds. */
export class FootedBatch {
  readonly #footing: Pick<Footing, 'commit'>;
  readonly #maxOps: number;
  readonly #maxBytes: number;
  #ops: Op[] = [];
  #bytes = 0;

  constructor(footing: Pick<Footing, 'commit'>, traits: StoreTraits) {
    this.#footing = footing;
    this.#maxOps = Math.min(traits.maxTxnOps, BATCH_OPS);
    this.#maxBytes = Math.min(traits.maxTxnBytes, BATCH_BYTES);
  }

  /** @throws what `Footing.commit` throws. */
  async add(op: Op): Promise<void> {
    const bytes = op.kind === 'put' ? Buffer.byteLength(op.key) + op.value.byteLength : 0;
    if (this.#ops.length >= this.#maxOps || this.#bytes + bytes > this.#maxBytes) await this.flush();
    this.#ops.push(op);
    this.#bytes += bytes;
  }

  /** @throws what `Footing.commit` throws. */
  async flush(): Promise<void> {
    if (this.#ops.length > 0) await this.#footing.commit(this.#ops);
    this.#ops = [];
    this.#bytes = 0;
  }
}
