import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import { DEFAULT_HISTORY, type HistoryLimits } from '../change-history.ts';
import { syncMetrics } from '../sync-metrics.ts';
import { DEFAULT_TXN_LIMITS, type TxnLimits } from '../txn-rules.ts';
import { CommitQueue } from './commit-queue.ts';
import { compactRegularly } from './compactor.ts';
import { parseEndpoints } from './endpoints.ts';
import { DEFAULT_TIMEOUTS, EtcdClient, type EtcdTimeouts } from './etcd-client.ts';
import { EtcdStore } from './etcd-store.ts';
import { Follower } from './follower.ts';
import { type KnownStore, KnownStoreFile } from './known-store.ts';
import { Layout } from './layout.ts';
import { Loader } from './loader.ts';
import type { EtcdTls } from './member-connections.ts';
import { loadKnown } from './opener.ts';
import { MAX_UNGROUPED_OPS } from './outcome-search.ts';
import { Replica } from './replica.ts';
import { Restorer } from './restorer.ts';
import { SharedFormat } from './shared-format.ts';
import { SpaceKeeper } from './space-keeper.ts';

export interface OpenEtcdStoreOptions {
  /** E.g. `https://etcd-0.etcd:2379`; the members of one cluster. */
  readonly endpoints: readonly string[];
  readonly tls?: EtcdTls;
  /** All keys of the store begin with it; it ends with `/`. Default `lictor/`. */
  readonly prefix?: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
  readonly metrics?: Pick<Metrics, 'histogram' | 'counter' | 'gauge'>;
  /** Less than etcd takes of one transaction (--max-txn-ops, --max-request-bytes): the engine adds some of its own. */
  readonly limits?: Partial<TxnLimits>;
  readonly history?: Partial<HistoryLimits>;
  readonly timeouts?: Partial<EtcdStoreTimeouts>;
  /** An existing folder in which this process remembers which store it uses, so that it refuses another or an empty one. */
  readonly folder?: string;
}

export interface EtcdStoreTimeouts extends EtcdTimeouts {
  /** How long a commit may wait for etcd before it is refused. */
  readonly commitMs: number;
  /** How long etcd may take for one of its transactions, before it is found out what became of it. */
  readonly attemptMs: number;
  /** Pause between two looks at whether the watch is complete. */
  readonly probeMs: number;
  /** How much of etcd's history is kept: one to two such periods. */
  readonly historyMs: number;
  /** Pause between two looks at the room that etcd's members have left. */
  readonly upkeepMs: number;
}

const DEFAULT_STORE_TIMEOUTS: EtcdStoreTimeouts = {
  ...DEFAULT_TIMEOUTS,
  // As long as a request waits for a leader.
  commitMs: 7000,
  attemptMs: 2000,
  probeMs: 5000,
  historyMs: 300_000,
  upkeepMs: 30_000,
};

/** Etcd's defaults less room for the prefix, the entries' heads and field numbers. */
export const ETCD_TXN_LIMITS: TxnLimits = {
  ...DEFAULT_TXN_LIMITS,
  maxTxnBytes: DEFAULT_TXN_LIMITS.maxTxnBytes - 64 * 1024,
};

/**
 * Opens the store below a prefix of etcd, or makes a new one, and loads its keys.
 * @throws AppError `config`, `unavailable`, `storeMismatch`, `storeVersion`, `storeCorrupt`, `permissionDenied`.
 */
export async function openEtcdStore(options: OpenEtcdStoreOptions): Promise<EtcdStore> {
  const { clock, log, random, metrics } = options;
  const prefix = checkPrefix(options.prefix ?? 'lictor/');
  const timeouts = { ...DEFAULT_STORE_TIMEOUTS, ...options.timeouts };
  const limits = { ...ETCD_TXN_LIMITS, ...options.limits };
  const endpoints = parseEndpoints(options.endpoints, options.tls !== undefined);
  // Only who uses etcd loads the library, which takes 20 MB.
  const grpc = await import('@grpc/grpc-js');
  const client = new EtcdClient({ grpc, clock }, { endpoints, timeouts, ...(options.tls ? { tls: options.tls } : {}) });
  try {
    const layout = new Layout(prefix);
    const loader = new Loader(client, layout);
    await client.assertOneCluster();
    const file = options.folder === undefined ? undefined : new KnownStoreFile({ clock, log }, options.folder);
    const { content, at } = await loadKnown({ client, loader, layout, clock, random, log }, file?.read());
    const format = new SharedFormat({ client, loader, layout }, (await loader.root()).format);
    const replica = new Replica(content, { ...DEFAULT_HISTORY, ...options.history });
    const onEnd = watchMetrics(options.metrics);
    const follower = new Follower(
      { client, loader, replica, clock, random, log, onEnd },
      { from: at + 1, probeMs: timeouts.probeMs },
    );
    const onSync = syncMetrics(options.metrics);
    const queue = new CommitQueue(
      { client, loader, replica, follower, clock, random, onSync, onNoSpace: () => keeper.wake() },
      {
        maxOps: Math.min(limits.maxTxnOps, MAX_UNGROUPED_OPS),
        commitMs: timeouts.commitMs,
        attemptMs: Math.min(timeouts.attemptMs, timeouts.writeMs),
      },
    );
    const known = (): number => replica.content.headRevision;
    const keeper = new SpaceKeeper(
      { client, known, writer: () => queue.wroteLast, clock, log, ...(metrics ? { metrics } : {}) },
      { everyMs: timeouts.upkeepMs },
    );
    const restorer = new Restorer({ client, loader, replica, queue, layout, clock, random, log });
    const stopping = new AbortController();
    const following = follower.run(stopping.signal);
    const compacting = compactRegularly(
      { client, known, clock, log },
      { everyMs: timeouts.historyMs },
      stopping.signal,
    );
    const keeping = keeper.run(stopping.signal);
    const inUse = (): KnownStore => ({ storeId: replica.content.storeId, revision: replica.revision });
    const remembering = file?.keep(inUse, stopping.signal);
    const onClose = async (): Promise<void> => {
      stopping.abort();
      client.close();
      await Promise.all([following, compacting, keeping, remembering]);
    };
    return new EtcdStore(
      { clock, loader, replica, queue, follower, restorer, format, renewTls: (tls) => client.renewTls(tls), onClose },
      limits,
    );
  } catch (error) {
    client.close();
    throw error;
  }
}

function checkPrefix(prefix: string): string {
  if (/^[\x21-\x7e]{0,199}\/$/.test(prefix)) return prefix;
  throw new AppError(
    'config',
    `the prefix in etcd must be up to 200 printable ASCII characters that end with /, not ${JSON.stringify(prefix)}`,
  );
}

function watchMetrics(metrics: Pick<Metrics, 'counter'> | undefined): (reason: string) => void {
  const counter = metrics?.counter({
    name: 'lictor_store_watch_restarts_total',
    help: 'Times the watch on etcd was opened again, by reason: lost, silent, starved, compacted, gap, moved',
    labels: ['reason'],
  });
  return (reason) => counter?.add(1, { reason });
}
