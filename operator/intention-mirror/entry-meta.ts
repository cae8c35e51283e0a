/** Keys of an entry's Meta that say who wrote it. Entries without them, or with other values, are somebody else's. */
export const META = {
  owner: 'lictor.dev/owner',
  /** The declaring object: `Intention/<namespace>/<name>`. */
  ref: 'lictor.dev/ref',
  uid: 'lictor.dev/uid',
} as const;
