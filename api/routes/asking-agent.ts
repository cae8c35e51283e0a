import type { RouteRequest } from '../http/route.ts';

/** Names (percent-encoded) the node of the agent that a client asked, when that agent hands the request on to a server. */
export const AGENT_HEADER = 'x-lictor-agent';

/** The node of the agent that the client asked; undefined when it asked this process itself. */
export function agentOf({ headers }: Pick<RouteRequest, 'headers'>): string | undefined {
  const value = headers[AGENT_HEADER];
  const name = Array.isArray(value) ? value[0] : value;
  if (!name) return undefined;
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}
