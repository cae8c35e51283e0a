import type { Node, ServiceInstance } from '../shapes/catalog.ts';
import type { NodeMeta } from './catalog-backend.ts';

/** Whether the node carries all of the pairs. */
export function hasNodeMeta(node: Pick<Node, 'Meta'>, wanted: NodeMeta): boolean {
  return wanted.every(([key, value]) => node.Meta?.[key] === value);
}

/** Whether the instance carries all of the tags, given in lower case. */
export function hasTags(instance: Pick<ServiceInstance, 'Tags'>, wanted: readonly string[]): boolean {
  return wanted.every((tag) => instance.Tags.some((own) => own.toLowerCase() === tag));
}

/**
 * The union of tags of a service's instances, given in order: those of the first as it names them, then the others,
 * sorted. So it changes with the set of tags and with the first instance only.
 */
export function unionOfTags(lists: readonly (readonly string[])[]): string[] {
  const union = new Set(lists[0]);
  const others = new Set<string>();
  for (const tags of lists) for (const tag of tags) if (!union.has(tag)) others.add(tag);
  return [...union, ...[...others].sort()];
}
