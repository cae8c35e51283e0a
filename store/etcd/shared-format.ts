import { AppError } from '../../core/errors.ts';
import type { StoreFormat } from '../store.ts';
import type { EtcdClient } from './etcd-client.ts';
import { encodeRoot, FORMAT, type Layout } from './layout.ts';
import type { Loader } from './loader.ts';

/** A restore or another server may come in between; more than this is not by chance. */
const MAX_ATTEMPTS = 10;

/** The format that the root of a store in etcd names: what all who have it open must know. */
export class SharedFormat implements StoreFormat {
  readonly #client: Pick<EtcdClient, 'txn'>;
  readonly #loader: Pick<Loader, 'root' | 'rootEntry'>;
  readonly #layout: Layout;
  #known: number;

  constructor(
    deps: { client: Pick<EtcdClient, 'txn'>; loader: Pick<Loader, 'root' | 'rootEntry'>; layout: Layout },
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

  async raise(to: number): Promise<boolean> {
    if (to > FORMAT) throw new AppError('internal', `format ${to} is not known here`);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const done = await this.#tried(to);
      if (done !== 'overtaken') return done === 'raised';
    }
    throw new AppError('unavailable', 'the root of the store in etcd changes faster than it can be written');
  }

  async #tried(to: number): Promise<'raised' | 'there' | 'overtaken'> {
    const key = this.#layout.root;
    const { root, modRevision } = await this.#loader.rootEntry();
    const format = Math.max(root.format, to);
    if (root.format < format) {
      const { succeeded } = await this.#client.txn({
        compares: [{ key, modRevision }],
        success: [{ kind: 'put', key, value: [encodeRoot({ ...root, format })] }],
        failure: [],
      });
      if (!succeeded) return 'overtaken';
    }
    this.#took(format);
    return root.format < format ? 'raised' : 'there';
  }

  /** It never falls. */
  #took(format: number): number {
    this.#known = Math.max(this.#known, format);
    return this.#known;
  }
}
