import { AppError } from '../../core/errors.ts';
import type { Revision } from '../store.ts';

/*
 * What etcd holds is not what this process has known. An empty or older etcd must not be read as "everything was
 * deleted": each of these says how to bring the right one back, and how to go on without it.
 */

/** What a server remembers of its store, in its data folder. */
export const KNOWN_STORE_FILE = 'etcd-store.json';

const NAME_IT =
  'name the etcd of before (-etcd-endpoints, -etcd-prefix), or bring its data back: the servers then go on';
const BEGIN_ANEW =
  `To go on with this one, stop the servers, remove ${KNOWN_STORE_FILE} from their data folders, start them and restore a ` +
  'snapshot (lictor snapshot restore)';

/** There is none. `root`: its first key. */
export function storeGone(root: string): AppError {
  return new AppError('storeMismatch', `etcd holds no store: its key ${root} is gone; ${NAME_IT}. ${BEGIN_ANEW}`);
}

/** There is one, by this id, which is not that of before. */
export function anotherStore(found: string, known: string): AppError {
  return new AppError('storeMismatch', `etcd holds the store ${found}, not ${known}; ${NAME_IT}. ${BEGIN_ANEW}`);
}

/** It is the one of before, as it was at an earlier time. */
export function olderStore(found: Revision, known: Revision): AppError {
  return new AppError(
    'storeMismatch',
    `etcd went back from revision ${known} to ${found}, as with an old disk or backup; bring its newer data back: the ` +
      'servers then go on. To go on from the older state, restart one of them: all indexes rise above those of before',
  );
}
