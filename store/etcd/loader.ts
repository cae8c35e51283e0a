import { AppError } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import type { KeyRange, StoreEntry } from '../store.ts';
import type { EtcdClient } from './etcd-client.ts';
import { EtcdError } from './etcd-error.ts';
import { KeyIndex } from './key-index.ts';
import {
  decodeHead,
  decodeRoot,
  ENTRY_HEAD_BYTES,
  encodeHead,
  encodeRoot,
  entryRevisions,
  FORMAT,
  type Head,
  type Layout,
  type Root,
} from './layout.ts';
import type { EtcdKeyValue, RangeResponse } from './messages.ts';
import type { Content } from './replica.ts';

/** Entries of the first page; the next ones are sized by the bytes that came. */
const FIRST_PAGE = 100;
const MAX_PAGE = 2000;
const PAGE_BYTES = 2 * 1024 * 1024;
/** A restore or a compaction may come in between; more than this is not by chance. */
const MAX_ATTEMPTS = 10;
const EVERYTHING: KeyRange = { start: '', end: '\u{10FFFF}' };

/** Reads the store out of etcd. */
export class Loader {
  readonly #client: EtcdClient;
  readonly #layout: Layout;
  readonly #random: Pick<Random, 'uuid'>;

  constructor(client: EtcdClient, layout: Layout, random: Pick<Random, 'uuid'>) {
    this.#client = client;
    this.#layout = layout;
    this.#random = random;
  }

  /** @throws AppError `storeCorrupt` (also when there is none), `storeVersion`; EtcdError. */
  async root(): Promise<Root> {
    const { kvs } = await this.#client.range({ key: this.#layout.root });
    if (kvs[0]) return decodeRoot(kvs[0].key, kvs[0].value);
    throw new AppError(
      'storeCorrupt',
      `etcd has lost the store: its key ${this.#layout.root.toString()} is gone; restore etcd from a backup, or restart ` +
        'the servers to begin empty',
    );
  }

  /** The newest head of a generation, as a quorum knows it; undefined when it has none. `at`: etcd's revision. */
  async head(generation: string): Promise<{ kv: EtcdKeyValue | undefined; at: number }> {
    const { kvs, header } = await this.#client.range({ key: this.#layout.generation(generation).head });
    return { kv: kvs[0], at: header.revision };
  }

  /** Everything but the values, and etcd's revision at which it was so. */
  async content(): Promise<{ content: Content; at: number }> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const { generation } = await this.root();
      const { kv, at } = await this.head(generation);
      if (!kv) continue;
      const head = decodeHead(kv.key, kv.value);
      if (head.movedTo) continue;
      const layout = this.#layout.generation(generation);
      const index = new KeyIndex();
      const content: Content = { generation, layout, head, headRevision: kv.modRevision, readRevision: at, index };
      try {
        for await (const entries of this.pages(content, EVERYTHING, at)) {
          for (const entry of entries) content.index.set(entry.key, entry.createRevision, entry.modRevision);
        }
        return { content, at };
      } catch (error) {
        if (!(error instanceof EtcdError && error.reason === 'compacted')) throw error;
      }
    }
    throw new AppError('unavailable', 'the store in etcd is replaced or compacted faster than it can be read');
  }

  /** Entries in key order, as they were at etcd's revision `at`. @throws EtcdError `compacted` among others. */
  async *pages(
    content: Pick<Content, 'layout' | 'head'>,
    range: KeyRange,
    at: number,
  ): AsyncGenerator<StoreEntry[], void, void> {
    const { end, ...from } = content.layout.range(range);
    if (Buffer.compare(from.key, end) >= 0) return;
    let key = from.key;
    let limit = FIRST_PAGE;
    for (;;) {
      const { kvs, more } = await this.#page({ key, end, limit, revision: at });
      let bytes = 0;
      const entries = kvs.map((kv): StoreEntry => {
        bytes += kv.key.byteLength + kv.value.byteLength;
        const revisions = entryRevisions(kv.key, kv.value, content.head);
        // A copy, so that the entry does not hold on to the page it came in.
        const value = new Uint8Array(kv.value.subarray(ENTRY_HEAD_BYTES));
        return { key: content.layout.keyOf(kv.key), value, ...revisions };
      });
      yield entries;
      if (!more || kvs.length === 0) return;
      key = Buffer.concat([kvs.at(-1)!.key, Buffer.alloc(1)]);
      if (bytes > PAGE_BYTES) limit = Math.max(1, limit >> 1);
      else if (bytes < PAGE_BYTES / 2) limit = Math.min(limit * 2, MAX_PAGE);
    }
  }

  /** One member's answer is as good as a quorum's for a revision in the past, unless it is not there yet. */
  async #page(request: { key: Uint8Array; end: Uint8Array; limit: number; revision: number }): Promise<RangeResponse> {
    try {
      return await this.#client.range({ ...request, serializable: true });
    } catch (error) {
      if (!(error instanceof EtcdError && error.reason === 'futureRevision')) throw error;
      return this.#client.range(request);
    }
  }

  /** Puts a root and an empty generation, unless there is a store. */
  async create(): Promise<void> {
    const { kvs } = await this.#client.range({ key: this.#layout.root });
    if (kvs.length > 0) return;
    const generation = this.#random.uuid();
    const root: Root = { format: FORMAT, storeId: this.#random.uuid(), generation };
    const head: Head = { id: this.#random.uuid(), revision: 0, base: 0, previous: 0, changes: [] };
    await this.#client.txn({
      compares: [{ key: this.#layout.root, modRevision: 0 }],
      success: [
        { kind: 'put', key: this.#layout.root, value: [encodeRoot(root)] },
        { kind: 'put', key: this.#layout.generation(generation).head, value: [encodeHead(head)] },
      ],
      failure: [],
    });
  }
}
