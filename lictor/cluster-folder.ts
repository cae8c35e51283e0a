import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../core/errors.ts';
import { KNOWN_STORE_FILE } from '../store/etcd/mismatch.ts';

/** Where a single server keeps its catalog, in its data folder. */
export const CATALOG_FOLDER = 'catalog';

/**
 * A server that is started without its cluster must not begin an empty catalog of its own in the cluster's data folder.
 * @throws AppError `config` where the folder is that of a server of a cluster.
 */
export function assertNotOfCluster(dataDir: string): void {
  if (existsSync(join(dataDir, CATALOG_FOLDER))) return;
  const found = ['etcd', KNOWN_STORE_FILE].find((name) => existsSync(join(dataDir, name)));
  if (found === undefined) return;
  const flags = found === 'etcd' ? '-bootstrap-expect and -retry-join' : '-etcd-endpoints';
  throw new AppError(
    'config',
    `data folder ${dataDir} is that of a server of a cluster (it holds ${found}), but no cluster is configured: start it with its ` +
      `${flags}, or give a single server another -data-dir`,
    { facts: { dir: dataDir } },
  );
}
