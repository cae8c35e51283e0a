import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import { readSnapshot } from '../snapshot-format.ts';
import type { Key, Revision } from '../store.ts';
import type { CommitQueue } from './commit-queue.ts';
import type { EtcdClient } from './etcd-client.ts';
import { EtcdError } from './etcd-error.ts';
import { KeyIndex } from './key-index.ts';
import {
  decodeHead,
  encodeHead,
  encodeRoot,
  entryHead,
  type GenerationLayout,
  type Head,
  type Layout,
  type Root,
} from './layout.ts';
import type { Loader } from './loader.ts';
import type { EtcdOp } from './messages.ts';
import type { Content, Replica } from './replica.ts';

export interface RestorerDeps {
  readonly client: Pick<EtcdClient, 'range' | 'txn'>;
  readonly loader: Loader;
  readonly replica: Replica;
  readonly queue: CommitQueue;
  readonly layout: Layout;
  readonly clock: Clock;
  readonly random: Pick<Random, 'uuid'>;
  readonly log: Logger;
}

/** Entries that share one transaction. */
const CHUNK_OPS = 100;
const CHUNK_BYTES = 512 * 1024;
/** Keys of an old generation that are deleted at once, so that others get their turn. */
const DELETE_KEYS = 1000;
/** How long the last step may take. */
const SWITCH_MS = 30_000;
const RETRY_MS = 100;

/**
 * A generation that is being filled. Each of its transactions compares the marker, and puts it anew or, at last, deletes it,
 * so that none can come late.
 */
interface Filling {
  readonly name: string;
  readonly layout: GenerationLayout;
  readonly marker: Buffer;
  /** Etcd's revision of the marker. */
  markerRevision: number;
  readonly keys: Key[];
}

/** A generation as it is at first. */
type Beginning = Pick<Content, 'head' | 'index'>;

/** A switch that is on its way to etcd. */
interface Switch {
  readonly old: Content;
  readonly next: Beginning;
}

/**
 * Restores by filling a new generation beside the present one, which nobody sees, and then switching to it in one
 * transaction that follows the present head.
 */
export class Restorer {
  readonly #deps: RestorerDeps;

  constructor(deps: RestorerDeps) {
    this.#deps = deps;
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<Revision> {
    await this.#removeLeftovers();
    const filling = await this.#begin();
    try {
      const theirs = await this.#fill(filling, chunks);
      const { old, revision } = await this.#deps.queue.exclusively(() => this.#switch(filling, theirs));
      await this.#cleanUp(old.generation);
      return revision;
    } catch (error) {
      await this.#cleanUp(filling.name);
      throw error;
    }
  }

  async #begin(): Promise<Filling> {
    const { client, layout, random } = this.#deps;
    const name = random.uuid();
    const marker = layout.marker(name);
    const { header } = await client.txn({
      compares: [],
      success: [{ kind: 'put', key: marker, value: [Buffer.alloc(0)] }],
      failure: [],
    });
    return { name, layout: layout.generation(name), marker, markerRevision: header.revision, keys: [] };
  }

  /** Writes the whole snapshot; its revision. @throws AppError `storeCorrupt` when it is damaged. */
  async #fill(filling: Filling, chunks: AsyncIterable<Uint8Array>): Promise<Revision> {
    let theirs = 0;
    let ops: EtcdOp[] = [];
    let bytes = 0;
    const onHeader = (revision: Revision): void => {
      theirs = revision;
    };
    for await (const { key, value } of readSnapshot(chunks, onHeader)) {
      filling.keys.push(key);
      const size = key.length + value.byteLength;
      if (ops.length > 0 && (ops.length === CHUNK_OPS || bytes + size > CHUNK_BYTES)) {
        await this.#put(filling, ops);
        ops = [];
        bytes = 0;
      }
      ops.push({ kind: 'put', key: filling.layout.entry(key), value: [entryHead(0, 0), value] });
      bytes += size;
    }
    if (ops.length > 0) await this.#put(filling, ops);
    return theirs;
  }

  async #put(filling: Filling, ops: readonly EtcdOp[]): Promise<void> {
    const response = await this.#deps.client.txn({
      compares: [{ key: filling.marker, modRevision: filling.markerRevision }],
      success: [{ kind: 'put', key: filling.marker, value: [Buffer.alloc(0)] }, ...ops],
      failure: [],
    });
    if (!response.succeeded) throw overtaken();
    filling.markerRevision = response.header.revision;
  }

  /** Makes the generation the one that counts; the content that it replaces, and the revision that it has at first. */
  async #switch(filling: Filling, theirs: Revision): Promise<{ old: Content; revision: Revision }> {
    const { client, replica, queue, clock } = this.#deps;
    const until = clock.monotonic() + SWITCH_MS;
    for (;;) {
      if (replica.failure) throw replica.failure;
      const old = replica.content;
      const revision = Math.max(theirs, old.head.revision) + 1;
      const next = this.#beginning(filling, revision);
      try {
        const response = await client.txn(await this.#switchTxn(filling, old, next.head));
        if (response.succeeded) {
          replica.adopt(contentOf(filling, old, next, response.header.revision), old);
          return { old, revision };
        }
        const [[present], [marker]] = [response.ranges[0]?.kvs ?? [], response.ranges[1]?.kvs ?? []];
        if (!marker || clock.monotonic() >= until) throw overtaken();
        // One that was put without an answer has come late.
        filling.markerRevision = marker.modRevision;
        // With the expected head, that was it, or the format was raised meanwhile.
        if (present?.modRevision === old.headRevision) continue;
        await queue.outcomes.catchUp(present?.modRevision ?? response.header.revision, old, until);
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        const done = await this.#settled(filling, { old, next }, { error, until });
        if (done !== undefined) return { old, revision: done };
      }
    }
  }

  #beginning({ keys }: Filling, revision: Revision): Beginning {
    const index = new KeyIndex();
    for (const key of keys) index.set(key, revision, revision);
    const id = this.#deps.random.uuid();
    return { head: { id, revision, base: revision, previous: 0, changes: [], content: index.digest.sum() }, index };
  }

  async #switchTxn(filling: Filling, old: Content, head: Head): Promise<Parameters<EtcdClient['txn']>[0]> {
    const { layout } = this.#deps;
    const { root, modRevision } = await this.#root();
    const left: Head = { ...old.head, id: head.id, previous: old.headRevision, changes: [], movedTo: filling.name };
    return {
      compares: [
        { key: old.layout.head, modRevision: old.headRevision },
        { key: filling.marker, modRevision: filling.markerRevision },
        { key: layout.root, modRevision },
      ],
      success: [
        { kind: 'put', key: old.layout.head, value: [encodeHead(left)] },
        { kind: 'put', key: layout.root, value: [encodeRoot({ ...root, generation: filling.name })] },
        { kind: 'put', key: filling.layout.head, value: [encodeHead(head)] },
        { kind: 'delete', key: filling.marker },
      ],
      failure: [
        { kind: 'range', key: old.layout.head },
        { kind: 'range', key: filling.marker },
      ],
    };
  }

  /** @throws EtcdError as of a write that was not sent. */
  async #root(): Promise<{ root: Root; modRevision: number }> {
    try {
      return await this.#deps.loader.rootEntry();
    } catch (error) {
      throw error instanceof EtcdError ? error.neverSent() : error;
    }
  }

  /**
   * After a switch that etcd has not answered, or not well: the revision of the generation if it took effect. Undefined when it
   * did not and cannot any more, but may be tried again. @throws EtcdError when trying again is of no use; AppError
   * `outcomeUnknown`.
   */
  async #settled(
    filling: Filling,
    sent: Switch,
    { error, until }: { error: EtcdError; until: number },
  ): Promise<Revision | undefined> {
    const { clock } = this.#deps;
    const full = error.reason === 'noSpace';
    for (;;) {
      try {
        // Etcd takes the transaction with which its quota is crossed, and yet answers that there is no space.
        const stopped = full ? !(await this.#begun(filling)) : !error.sent || (await this.#renewMarker(filling));
        if (!stopped) return await this.#takeSwitched(filling, sent);
        if (!error.mayPass || clock.monotonic() >= until) throw error;
        await clock.sleep(RETRY_MS);
        return undefined;
      } catch (failed) {
        if (failed === error || !(failed instanceof EtcdError)) throw failed;
        if (!failed.mayPass || clock.monotonic() >= until) throw outcomeUnknown(failed.message, failed);
        await clock.sleep(RETRY_MS);
      }
    }
  }

  /** Puts another marker in the place of the one that a switch compares, so that it comes too late; false: it is gone. */
  async #renewMarker(filling: Filling): Promise<boolean> {
    const { succeeded, header, ranges } = await this.#deps.client.txn({
      compares: [{ key: filling.marker, modRevision: filling.markerRevision }],
      success: [{ kind: 'put', key: filling.marker, value: [Buffer.alloc(0)] }],
      failure: [{ kind: 'range', key: filling.marker }],
    });
    // An earlier one of these has come late: that is as good.
    const revision = succeeded ? header.revision : ranges[0]?.kvs[0]?.modRevision;
    if (revision === undefined) return false;
    filling.markerRevision = revision;
    return true;
  }

  /** Whether the generation has a head, as a switch gives it one. */
  async #begun({ name }: Filling): Promise<boolean> {
    return (await this.#deps.loader.head(name)).kv !== undefined;
  }

  /** Takes what the switch has put in the place of the old content, by now perhaps with commits of others on top. */
  async #takeSwitched(filling: Filling, { old, next }: Switch): Promise<Revision> {
    const { loader, replica } = this.#deps;
    const { kv } = await loader.head(filling.name);
    // The marker went with another restore, or the generation did after it had been switched to.
    if (!kv) throw outcomeUnknown('another one began meanwhile');
    const head = decodeHead(kv.key, kv.value);
    const content =
      head.id === next.head.id ? contentOf(filling, old, next, kv.modRevision) : (await loader.content()).content;
    replica.adopt(content, old);
    return head.base;
  }

  /** Removes what restores that were cut short have left; one that had begun then fails: the later one counts. */
  async #removeLeftovers(): Promise<void> {
    const { client, layout, loader } = this.#deps;
    const { generation } = await loader.root();
    await client.txn({ compares: [], success: [{ kind: 'delete', ...layout.restoring }], failure: [] });
    let { key } = layout.data;
    for (;;) {
      const { kvs } = await client.range({ ...layout.data, key, limit: 1, keysOnly: true });
      if (!kvs[0]) return;
      const name = layout.generationOf(kvs[0].key);
      if (name !== generation) await this.#remove(name);
      key = layout.generation(name).all.end!;
    }
  }

  /** Should it fail, the next restore does it. */
  async #cleanUp(generation: string): Promise<void> {
    const { client, layout, log } = this.#deps;
    try {
      await client.txn({ compares: [], success: [{ kind: 'delete', key: layout.marker(generation) }], failure: [] });
      await this.#remove(generation);
    } catch (error) {
      log.warn('what a restore has replaced could not be removed from etcd yet', { err: error });
    }
  }

  /** Removes a generation that does not count, unless a restore is filling it or switches to it meanwhile. */
  async #remove(generation: string): Promise<void> {
    const { client, layout, loader } = this.#deps;
    const { all } = layout.generation(generation);
    const marker = layout.marker(generation);
    for (;;) {
      const { root, modRevision } = await loader.rootEntry();
      if (root.generation === generation) return;
      const { kvs, more } = await client.range({ ...all, limit: DELETE_KEYS, keysOnly: true });
      if (kvs.length === 0) return;
      const end = more ? Buffer.concat([kvs.at(-1)!.key, Buffer.alloc(1)]) : all.end!;
      const { succeeded, ranges } = await client.txn({
        compares: [
          { key: layout.root, modRevision },
          { key: marker, modRevision: 0 },
        ],
        success: [{ kind: 'delete', key: all.key, end }],
        failure: [{ kind: 'range', key: marker }],
      });
      if (!succeeded && ranges[0]?.kvs[0]) return;
    }
  }
}

function contentOf(filling: Filling, { storeId }: Content, { head, index }: Beginning, headRevision: number): Content {
  const { name: generation, layout } = filling;
  return { storeId, generation, layout, head, headRevision, readRevision: headRevision, index };
}

function overtaken(): AppError {
  return new AppError('conflict', 'another restore began meanwhile; only the last one counts');
}

function outcomeUnknown(why: string, cause?: EtcdError): AppError {
  return new AppError(
    'outcomeUnknown',
    `whether etcd has taken the restore could not be found out (${why}); read before deciding`,
    cause ? { cause } : {},
  );
}
