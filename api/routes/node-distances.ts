/** Estimated distances between nodes, for `?near=`. */
export interface NodeDistances {
  /** Rises whenever a distance may have changed: it belongs into the key of every shared answer that is in their order. */
  readonly version: number;
  /** Round trips from a node to others, in seconds; Infinity where either has no known place. Names compare without case. */
  from(node: string): (other: string) => number;
}

/** The items by distance, nearest first; those of equal (or unknown) distance keep their order. */
export function byDistance<T>(
  items: readonly T[],
  nodeOf: (item: T) => string,
  distance: (node: string) => number,
): T[] {
  const known = items.map((item) => ({ item, distance: distance(nodeOf(item)) }));
  // Two infinities differ by NaN, which no order may see.
  known.sort((a, b) => (a.distance === b.distance ? 0 : a.distance - b.distance));
  return known.map(({ item }) => item);
}
