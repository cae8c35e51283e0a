import { snapshotRoutes } from '../../api/routes/snapshot-routes.ts';
import { errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { exportSnapshot } from './snapshot-export.ts';
import { SnapshotRestore } from './snapshot-restore.ts';
import { Spool } from './spool.ts';

const MAX_ARCHIVE_BYTES = 16 * 1024 ** 3;

/** Saves and restores all data. */
export function snapshotPart(deps: PartDeps): ServerPart {
  const spool = new Spool(deps, { folder: deps.spoolDir, own: deps.ownsSpoolDir });
  const restore = new SnapshotRestore({ ...deps, spool }, { maxArchiveBytes: MAX_ARCHIVE_BYTES });
  const sweeper: Runnable = {
    name: 'spool-leftovers',
    async run(ctx: RunContext) {
      ctx.ready();
      await spool.sweep();
      await aborted(ctx.signal);
    },
  };
  const cleaner: Runnable = {
    name: 'restore-leftovers',
    async run(ctx: RunContext) {
      ctx.ready();
      try {
        await restore.clean(ctx.signal);
      } catch (error) {
        // They take room and nothing else; the next restore or start tries again.
        if (!ctx.signal.aborted) deps.log.warn('what a restore left could not be deleted', { text: errorText(error) });
      }
      await aborted(ctx.signal);
    },
  };
  return {
    routes: snapshotRoutes(deps.reads, {
      save: (signal) => {
        const { size: count } = deps.state.refused;
        if (count > 0)
          deps.log.warn('entries that cannot be read are in this snapshot: no restore takes it', { count });
        return exportSnapshot(deps, { datacenter: deps.datacenter, signal });
      },
      restore: (archive, signal) => restore.restore(archive, signal),
    }),
    runnables: [cleaner],
    standing: [sweeper],
  };
}
