import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../core/errors.ts';
import { KNOWN_STORE_FILE } from '../store/etcd/mismatch.ts';

/** Where a single server keeps its catalog, in its data folder. */
export const CATALOG_FOLDER = 'catalog';
/** Where a server keeps the etcd that it runs, in its data folder. */
export const ETCD_FOLDER = 'etcd';

/**
 * A server that is started without its cluster must not begin a catalog of its own in the cluster's data folder, nor go on with one
 * from before the cluster.
 * @throws AppError `config` where the folder is that of a server of a cluster.
 */
export function assertNotOfCluster(dataDir: string): void {
  const found = [ETCD_FOLDER, KNOWN_STORE_FILE].find((name) => existsSync(join(dataDir, name)));
  if (found === undefined) return;
  const flags = found === ETCD_FOLDER ? '-bootstrap-expect and -retry-join' : '-etcd-endpoints';
  const alone = existsSync(join(dataDir, CATALOG_FOLDER))
    ? `move ${found} away to go on with the single server's catalog that lies there too`
    : 'give a single server another -data-dir';
  throw new AppError(
    'config',
    `data folder ${dataDir} is that of a server of a cluster (it holds ${found}), but no cluster is configured: start it with its ` +
      `${flags}, or ${alone}`,
    { facts: { dir: dataDir } },
  );
}
