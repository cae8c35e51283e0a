import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HistoryLimits } from '../change-history.ts';
import type { Store } from '../store.ts';
import type { TxnLimits } from '../txn-rules.ts';
import { describeCommits } from './describe-commits.ts';
import { describeLimits } from './describe-limits.ts';
import { describeReads } from './describe-reads.ts';
import { describeReopening } from './describe-reopening.ts';
import { describeSnapshots } from './describe-snapshots.ts';
import { describeViews } from './describe-views.ts';
import { describeWatches } from './describe-watches.ts';

/** Where and how the suite wants a store opened. An engine without a folder ignores `dir`. */
export interface StorePlace {
  readonly dir: string;
  readonly limits?: Partial<TxnLimits>;
  readonly history?: Partial<HistoryLimits>;
}

export type OpenStore = (place: StorePlace) => Promise<Store>;

/** Gives tests stores in folders of their own, and closes and removes them afterwards. */
export interface StoreBench {
  /** A new store, or with `dir` the store of that folder. */
  open(options?: Partial<StorePlace>): Promise<Store>;
  folder(): Promise<string>;
}

/** Holds an engine to the store contract. */
export function describeStore(name: string, open: OpenStore): void {
  describe(`${name} store`, () => {
    const stores: Store[] = [];
    const folders: string[] = [];
    const folder = async (): Promise<string> => {
      const dir = await mkdtemp(join(tmpdir(), 'lictor-store-'));
      folders.push(dir);
      return dir;
    };
    const bench: StoreBench = {
      folder,
      async open(options = {}) {
        const store = await open({ ...options, dir: options.dir ?? (await folder()) });
        stores.push(store);
        return store;
      },
    };
    afterEach(async () => {
      for (const store of stores.splice(0)) await store.close();
      for (const dir of folders.splice(0)) await rm(dir, { recursive: true, force: true });
    });

    describeCommits(bench);
    describeLimits(bench);
    describeReads(bench);
    describeViews(bench);
    describeWatches(bench);
    describeSnapshots(bench);
    describeReopening(bench);
  });
}
