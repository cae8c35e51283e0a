import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import type { Revision } from '../store.ts';
import { ContentDigest } from './content-digest.ts';
import type { EtcdClient } from './etcd-client.ts';
import { type KnownStore, REVISION_MARGIN } from './known-store.ts';
import { decodeHead, encodeHead, encodeRoot, FORMAT, type Head, type Layout, type Root } from './layout.ts';
import type { Loader } from './loader.ts';
import { anotherStore, olderStore } from './mismatch.ts';
import type { Content } from './replica.ts';

export interface OpenerDeps {
  readonly client: Pick<EtcdClient, 'range' | 'txn'>;
  readonly loader: Pick<Loader, 'content' | 'head'>;
  readonly layout: Layout;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly random: Pick<Random, 'uuid'>;
  readonly log: Logger;
}

/** How long other servers may be ahead of a raise with each of their writes. */
const RAISE_MS = 10_000;

/** The content of a store as it was loaded, and etcd's revision at which it was so. */
interface Loaded {
  readonly content: Content;
  readonly at: number;
}

/**
 * Loads the store that this process is to use: the one that it knows from before, or, where it knows none, the one that
 * is there or a new one. Of the known one's older state it makes a newer one, so that indexes do not fall.
 * @throws AppError `storeMismatch`, `storeCorrupt`, `storeVersion`; EtcdError.
 */
export async function loadKnown(deps: OpenerDeps, known: KnownStore | undefined): Promise<Loaded> {
  const { loader, clock } = deps;
  if (!known) await create(deps);
  await acceptAsked(deps, known);
  let until: number | undefined;
  for (;;) {
    const loaded = await loader.content();
    if (!known) return loaded;
    const { storeId, head } = loaded.content;
    if (storeId !== known.storeId) throw anotherStore(storeId, known.storeId);
    if (head.revision >= known.revision) return loaded;
    // However long a large one takes to load: it is tried.
    until ??= clock.monotonic() + RAISE_MS;
    if (clock.monotonic() >= until) throw olderStore(head.revision, known.revision);
    await raise(deps, loaded.content, { known: known.revision, until });
  }
}

/**
 * Makes what is there the servers' own, though something else has written, where an operator asks for it by the id of the
 * head that it does not fit. Indexes rise, so that whoever waits for a change looks anew.
 */
async function acceptAsked(deps: OpenerDeps, known: KnownStore | undefined): Promise<void> {
  const { client, loader, layout, random, log } = deps;
  const { kvs } = await client.range({ key: layout.accept });
  const asked = kvs[0]?.value.toString().trim();
  if (asked === undefined) return;
  const { content } = await loader.content({ unchecked: true });
  const { head, headRevision, index, storeId } = content;
  if (asked !== head.id || (known && known.storeId !== storeId)) return;
  const accepted: Head = {
    ...head,
    id: random.uuid(),
    revision: head.revision + 1,
    previous: headRevision,
    changes: [],
    content: index.digest.sum(),
  };
  const { succeeded } = await client.txn({
    compares: [{ key: content.layout.head, modRevision: headRevision }],
    success: [
      { kind: 'put', key: content.layout.head, value: [encodeHead(accepted)] },
      { kind: 'delete', key: layout.accept },
    ],
    failure: [],
  });
  if (succeeded) log.warn('what something else has written to etcd is taken, as asked for', { entries: index.size });
}

/**
 * Makes the revision of a generation one above what is known. Servers that write to it meanwhile are ahead of single attempts,
 * so it is tried again for as long as `until`; nothing once another server has done it, or another generation is in its place.
 */
async function raise(
  deps: OpenerDeps,
  { generation, layout }: Content,
  { known, until }: { known: Revision; until: number },
): Promise<void> {
  const { client, loader, random, clock, log } = deps;
  const next = known + REVISION_MARGIN;
  while (clock.monotonic() < until) {
    const { kv } = await loader.head(generation);
    const head = kv && decodeHead(kv.key, kv.value);
    if (!head || head.movedTo || head.revision >= known) return;
    const raised: Head = { ...head, id: random.uuid(), revision: next, previous: kv.modRevision, changes: [] };
    const { succeeded } = await client.txn({
      compares: [{ key: layout.head, modRevision: kv.modRevision }],
      success: [{ kind: 'put', key: layout.head, value: [encodeHead(raised)] }],
      failure: [],
    });
    if (!succeeded) continue;
    const facts = { known, found: head.revision, next };
    log.error(
      'etcd went back, as with an old disk or backup: what was written since is gone; indexes go on above it',
      facts,
    );
    return;
  }
}

/** Puts a root and an empty generation, unless there is a store. */
async function create({ client, layout, random }: OpenerDeps): Promise<void> {
  const { kvs } = await client.range({ key: layout.root });
  if (kvs.length > 0) return;
  const generation = random.uuid();
  const root: Root = { format: FORMAT, storeId: random.uuid(), generation };
  const head: Head = {
    id: random.uuid(),
    revision: 0,
    base: 0,
    previous: 0,
    changes: [],
    content: new ContentDigest().sum(),
  };
  await client.txn({
    compares: [{ key: layout.root, modRevision: 0 }],
    success: [
      { kind: 'put', key: layout.root, value: [encodeRoot(root)] },
      { kind: 'put', key: layout.generation(generation).head, value: [encodeHead(head)] },
    ],
    failure: [],
  });
}
