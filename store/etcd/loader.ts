import { AppError } from '../../core/errors.ts';
import { nextTurn } from '../../core/next-turn.ts';
import type { Key, KeyRange, Revision, StoreEntry } from '../store.ts';
import type { EtcdClient } from './etcd-client.ts';
import { EtcdError } from './etcd-error.ts';
import { assertOwnContent } from './foreign-writes.ts';
import { KeyIndex } from './key-index.ts';
import {
  decodeHead,
  decodeRoot,
  ENTRY_HEAD_BYTES,
  entryRevisions,
  type GenerationLayout,
  type Layout,
  type Root,
} from './layout.ts';
import type { EtcdCompare, EtcdKeyValue, RangeResponse } from './messages.ts';
import { storeGone } from './mismatch.ts';
import type { Content } from './replica.ts';

/** Entries of the first page; the next ones are sized by the bytes that came. */
const FIRST_PAGE = 100;
/** Etcd walks the rest of the range for each page, to count it: few large pages cost it less. */
const MAX_PAGE = 16_384;
const PAGE_BYTES = 4 * 1024 * 1024;
/** Entries that are given at a time, between two turns of the event loop: some 2 ms. */
const SLICE_ENTRIES = 512;
/** A restore or a compaction may come in between; more than this is not by chance. */
const MAX_ATTEMPTS = 10;
const EVERYTHING: KeyRange = { start: '', end: '\u{10FFFF}' };

/** Reads the store out of etcd. */
export class Loader {
  readonly #client: Pick<EtcdClient, 'range'>;
  readonly #layout: Layout;

  constructor(client: Pick<EtcdClient, 'range'>, layout: Layout) {
    this.#client = client;
    this.#layout = layout;
  }

  /** @throws AppError `storeMismatch` when there is none, `storeCorrupt`, `storeVersion`; EtcdError. */
  async root(): Promise<Root> {
    return (await this.rootEntry()).root;
  }

  /** And etcd's revision of it. @throws as `root`. */
  async rootEntry(): Promise<{ root: Root; modRevision: number }> {
    const { kvs } = await this.#client.range({ key: this.#layout.root });
    if (kvs[0]) return { root: decodeRoot(kvs[0].key, kvs[0].value), modRevision: kvs[0].modRevision };
    throw storeGone(this.#layout.root.toString());
  }

  /** The newest head of a generation, as a quorum knows it; undefined when it has none. `at`: etcd's revision. */
  async head(generation: string): Promise<{ kv: EtcdKeyValue | undefined; at: number }> {
    const { kvs, header } = await this.#client.range({ key: this.#layout.generation(generation).head });
    return { kv: kvs[0], at: header.revision };
  }

  /**
   * The revision of an entry, 0 when it is absent, and what holds in etcd for as long as it is so; all as a quorum knows it.
   * @throws AppError `storeCorrupt`, `unavailable` when the generation is gone; EtcdError.
   */
  async entry(generation: string, key: Key): Promise<{ modRevision: Revision; inEtcd: EtcdCompare }> {
    const etcdKey = this.#layout.generation(generation).entry(key);
    const { kvs } = await this.#client.range({ key: etcdKey });
    if (!kvs[0]) return { modRevision: 0, inEtcd: { key: etcdKey, modRevision: 0 } };
    // Later than the entry, so that it is not older.
    const { kv: head } = await this.head(generation);
    if (!head) throw new AppError('unavailable', 'the store in etcd has been replaced meanwhile');
    const { modRevision } = entryRevisions(etcdKey, kvs[0].value, decodeHead(head.key, head.value));
    return { modRevision, inEtcd: { key: etcdKey, modRevision: kvs[0].modRevision } };
  }

  /**
   * Everything but the values, and etcd's revision at which it was so. `unchecked`: also when it is not what the servers left.
   * @throws AppError `storeMismatch`, `storeCorrupt`, `storeVersion`, `unavailable`; EtcdError.
   */
  async content(options: { unchecked?: boolean } = {}): Promise<{ content: Content; at: number }> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const { storeId, generation } = await this.root();
      const { kv, at } = await this.head(generation);
      if (!kv) continue;
      const head = decodeHead(kv.key, kv.value);
      if (head.movedTo) continue;
      const layout = this.#layout.generation(generation);
      const index = new KeyIndex();
      const headRevision = kv.modRevision;
      const content: Content = { storeId, generation, layout, head, headRevision, readRevision: at, index };
      try {
        const newer = await this.#fill(content);
        if (!options.unchecked) assertOwnContent(this.#layout, content, newer);
        return { content, at };
      } catch (error) {
        if (!(error instanceof EtcdError && error.reason === 'compacted')) throw error;
      }
    }
    throw new AppError('unavailable', 'the store in etcd is replaced or compacted faster than it can be read');
  }

  /** Reads the keys and revisions into the index; the keys that etcd has changed after the head. */
  async #fill({ layout, head, headRevision, readRevision, index }: Content): Promise<Key[]> {
    const newer: Key[] = [];
    for await (const kvs of this.#pages(layout, EVERYTHING, readRevision)) {
      for (const { key: etcdKey, value, modRevision: etcdRevision } of kvs) {
        const { createRevision, modRevision } = entryRevisions(etcdKey, value, head);
        const key = layout.keyOf(etcdKey);
        index.set(key, createRevision, modRevision);
        if (etcdRevision > headRevision) newer.push(key);
      }
    }
    return newer;
  }

  /** Entries in key order, as they were at etcd's revision `at`. @throws EtcdError `compacted` among others. */
  async *pages(
    content: Pick<Content, 'layout' | 'head'>,
    range: KeyRange,
    at: number,
  ): AsyncGenerator<StoreEntry[], void, void> {
    for await (const kvs of this.#pages(content.layout, range, at)) yield kvs.map((kv) => entryOf(kv, content));
  }

  async *#pages(
    layout: GenerationLayout,
    range: KeyRange,
    at: number,
  ): AsyncGenerator<readonly EtcdKeyValue[], void, void> {
    const { end, ...from } = layout.range(range);
    if (Buffer.compare(from.key, end) >= 0) return;
    let limit = FIRST_PAGE;
    let coming: Promise<RangeResponse> | undefined = this.#page({ key: from.key, end, limit, revision: at });
    while (coming !== undefined) {
      const page: RangeResponse = await coming;
      const { kvs, more } = page;
      limit = nextLimit(limit, kvs);
      const key = keyAfter(kvs);
      // The next page is on its way while this one is taken in.
      coming = more && key ? this.#page({ key, end, limit, revision: at }) : undefined;
      coming?.catch(() => {});
      for (let first = 0; first < kvs.length; first += SLICE_ENTRIES) {
        if (first > 0) await nextTurn();
        yield kvs.slice(first, first + SLICE_ENTRIES);
      }
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
}

function entryOf(kv: EtcdKeyValue, { layout, head }: Pick<Content, 'layout' | 'head'>): StoreEntry {
  // A copy, so that the entry does not hold on to the page it came in.
  const value = Buffer.from(kv.value.subarray(ENTRY_HEAD_BYTES));
  return { key: layout.keyOf(kv.key), value, ...entryRevisions(kv.key, kv.value, head) };
}

function nextLimit(limit: number, kvs: readonly EtcdKeyValue[]): number {
  const bytes = kvs.reduce((sum, kv) => sum + kv.key.byteLength + kv.value.byteLength, 0);
  if (bytes > PAGE_BYTES) return Math.max(1, limit >> 1);
  return bytes < PAGE_BYTES / 2 ? Math.min(limit * 4, MAX_PAGE) : limit;
}

/** The first key that can come after these; undefined for none. */
function keyAfter(kvs: readonly EtcdKeyValue[]): Buffer | undefined {
  const last = kvs.at(-1);
  return last && Buffer.concat([last.key, Buffer.alloc(1)]);
}
