import { AppError } from '../../core/errors.ts';
import type { Store } from '../../store/store.ts';

const OF_SESSIONS = /\/(session|kv)\//;

/** A store that takes only so many commits of sessions and keys more, as one that loses its quorum. */
export class EndingStore {
  /** Without limit at first. */
  left = Infinity;
  readonly store: Store;

  constructor(store: Store) {
    const commit: Store['commit'] = async (txn) => {
      const counts = txn.ops.some((op) => OF_SESSIONS.test(op.kind === 'deleteRange' ? op.range.start : op.key));
      if (!counts || this.left-- > 0) return store.commit(txn);
      throw new AppError('unavailable', 'no quorum');
    };
    this.store = new Proxy(store, {
      get: (target, name) => {
        if (name === 'commit') return commit;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }
}
