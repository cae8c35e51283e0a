import type { RouteRequest } from '../http/route.ts';
import { agentOf } from './asking-agent.ts';
import { byDistance, type NodeDistances } from './node-distances.ts';

/** The order that `?near=` asks for. */
export interface Near {
  /** Belongs into the key of the answer: other distances give another order. */
  readonly key: string;
  /** Nearest first; the same list when no order is asked for. */
  order<T>(items: readonly T[], nodeOf: (item: T) => string): readonly T[];
}

const ANY_ORDER: Near = { key: '', order: (items) => items };

/** `?near=` with the name of a node, or `_agent` for the node of the agent that was asked. */
export function nearOf(
  deps: { readonly distances: NodeDistances; readonly nodeName: string },
  request: Pick<RouteRequest, 'query' | 'headers'>,
): Near {
  const asked = request.query.get('near') ?? '';
  if (asked === '') return ANY_ORDER;
  const node = asked === '_agent' ? (agentOf(request) ?? deps.nodeName) : asked;
  return {
    key: `${deps.distances.version} ${node.toLowerCase()}`,
    order: (items, nodeOf) => byDistance(items, nodeOf, deps.distances.from(node)),
  };
}
