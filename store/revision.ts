import type { Revision } from './store.ts';

/** The same number, in the form that the engine keeps without a box where it fits: hundreds of thousands are in memory. */
export function unboxed(revision: Revision): Revision {
  return revision <= 0x3fff_ffff ? revision | 0 : revision;
}
