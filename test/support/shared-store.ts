import type { Store, StoreFormat } from '../../store/store.ts';

/** A store of which servers must think that others share it. */
export function sharedStore(store: Store, format?: StoreFormat): Store {
  return {
    traits: { ...store.traits, replicated: true },
    ...(format ? { format } : {}),
    revision: () => store.revision(),
    barrier: () => store.barrier(),
    read: (range, at) => store.read(range, at),
    view: () => store.view(),
    commit: (txn) => store.commit(txn),
    watch: (range, after, signal) => store.watch(range, after, signal),
    snapshot: (signal) => store.snapshot(signal),
    restore: (chunks) => store.restore(chunks),
    close: () => store.close(),
  };
}
