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
