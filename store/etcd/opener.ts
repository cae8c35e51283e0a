import type { Logger } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import type { Revision } from '../store.ts';
import { ContentDigest } from './content-digest.ts';
import type { EtcdClient } from './etcd-client.ts';
import { type KnownStore, REVISION_MARGIN } from './known-store.ts';
import { encodeHead, encodeRoot, FORMAT, type Head, type Layout, type Root } from './layout.ts';
import type { Loader } from './loader.ts';
import { anotherStore } from './mismatch.ts';
import type { Content } from './replica.ts';

export interface OpenerDeps {
  readonly client: Pick<EtcdClient, 'range' | 'txn'>;
  readonly loader: Pick<Loader, 'content'>;
  readonly layout: Layout;
  readonly random: Pick<Random, 'uuid'>;
  readonly log: Logger;
}

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
  const { loader, log } = deps;
  if (!known) await create(deps);
  await acceptAsked(deps, known);
  const loaded = await loader.content();
  const { storeId, head } = loaded.content;
  if (!known) return loaded;
  if (storeId !== known.storeId) throw anotherStore(storeId, known.storeId);
  if (head.revision >= known.revision) return loaded;
  const to = known.revision + REVISION_MARGIN;
  await raise(deps, loaded.content, to);
  log.error('etcd went back, as with an old disk or backup: what was written since is gone; indexes go on above it', {
    known: known.revision,
    found: head.revision,
    next: to,
  });
  return loader.content();
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

/** Nothing when another server was first. */
async function raise({ client, random }: OpenerDeps, content: Content, revision: Revision): Promise<void> {
  const { layout, head, headRevision } = content;
  const raised: Head = { ...head, id: random.uuid(), revision, previous: headRevision, changes: [] };
  await client.txn({
    compares: [{ key: layout.head, modRevision: headRevision }],
    success: [{ kind: 'put', key: layout.head, value: [encodeHead(raised)] }],
    failure: [],
  });
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
