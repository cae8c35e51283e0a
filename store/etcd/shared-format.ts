import { AppError } from '../../core/errors.ts';
import type { Compare, StoreFormat } from '../store.ts';
import type { EtcdClient } from './etcd-client.ts';
import { encodeRoot, FORMAT, type Layout } from './layout.ts';
import type { Loader } from './loader.ts';
import type { EtcdCompare } from './messages.ts';

/** A restore or another server may come in between; more than this is not by chance. */
const MAX_ATTEMPTS = 10;

/** The format that the root of a store in etcd names: what all who have it open must know. */
export class SharedFormat implements StoreFormat {
  readonly #client: Pick<EtcdClient, 'txn'>;
  readonly #loader: Pick<Loader, 'root' | 'rootEntry' | 'entry'>;
  readonly #layout: Layout;
  #known: number;

  constructor(
    deps: { client: Pick<EtcdClient, 'txn'>; loader: Pick<Loader, 'root' | 'rootEntry' | 'entry'>; layout: Layout },
    known: number,
  ) {
    this.#client = deps.client;
    this.#loader = deps.loader;
    this.#layout = deps.layout;
    this.#known = known;
  }

  known(): number {
    return this.#known;
  }

  async read(): Promise<number> {
    return this.#took((await this.#loader.root()).format);
  }

  async raise(to: number, compares: readonly Compare[]): Promise<boolean> {
    if (to > FORMAT) throw new AppError('internal', `format ${to} is not known here`);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const done = await this.#tried(to, compares);
      if (done !== 'overtaken') return done === 'raised';
    }
    throw new AppError('unavailable', 'the root of the store in etcd changes faster than it can be written');
  }

  async #tried(to: number, compares: readonly Compare[]): Promise<'raised' | 'there' | 'overtaken'> {
    const key = this.#layout.root;
    const { root, modRevision } = await this.#loader.rootEntry();
    const format = Math.max(root.format, to);
    if (root.format < format) {
      const { succeeded } = await this.#client.txn({
        compares: [{ key, modRevision }, ...(await this.#held(root.generation, compares))],
        success: [{ kind: 'put', key, value: [encodeRoot({ ...root, format })] }],
        failure: [],
      });
      if (!succeeded) return 'overtaken';
    }
    this.#took(format);
    return root.format < format ? 'raised' : 'there';
  }

  /** What etcd has to compare, in a generation where all of them hold. @throws AppError `conflict`. */
  async #held(generation: string, compares: readonly Compare[]): Promise<EtcdCompare[]> {
    const held: EtcdCompare[] = [];
    for (const compare of compares) {
      if (compare.kind !== 'key') throw new AppError('internal', 'the format of a store is compared with single keys');
      const found = await this.#loader.entry(generation, compare.key);
      if (found.modRevision !== compare.modRevision) {
        throw new AppError('conflict', `the format was not raised: ${compare.key} has changed`);
      }
      held.push(found.inEtcd);
    }
    return held;
  }

  /** It never falls. */
  #took(format: number): number {
    this.#known = Math.max(this.#known, format);
    return this.#known;
  }
}
