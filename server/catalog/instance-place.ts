import type { NodeEntry } from './entries.ts';

/** Which instance it is: one object for as long as the instance is there, whatever it is changed to. */
export interface InstancePlace {
  readonly node: NodeEntry;
  /** Within the node. */
  readonly key: string;
  /** As it is spelled, or was last. */
  id: string;
}

/** One text for each instance, the same when it has gone and come again. */
export function sortKeyOf({ node, key }: InstancePlace): string {
  return `${node.key}\u0000${key}`;
}

export function namespaceOf({ key }: InstancePlace): string {
  return key.slice(0, key.indexOf('/'));
}

/** Orders instances by node, then namespace and id. */
export function comparePlaces(a: InstancePlace, b: InstancePlace): number {
  if (a.node.key !== b.node.key) return a.node.key < b.node.key ? -1 : 1;
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
