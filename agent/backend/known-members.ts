import type { Member } from '../../api/routes/agent-local-backend.ts';
import type { Node } from '../../api/shapes/catalog.ts';
import { SERF_PORT } from '../../api/shapes/member-ports.ts';

/**
 * The members that the servers know. While none of them answers, the servers themselves, each with the ports that were heard
 * of last; none when they are not known either.
 */
export function knownMembers(
  catalog: { members(signal: AbortSignal): Promise<readonly Member[]> },
  view: { servers(): Promise<readonly Node[]> },
): (signal: AbortSignal) => Promise<readonly Member[]> {
  let heard: readonly Member[] = [];
  return async (signal) => {
    try {
      heard = await catalog.members(signal);
      return heard;
    } catch {
      const nodes = await view.servers().catch(() => []);
      return nodes.map((node) => serverMember(node, heard));
    }
  };
}

function serverMember({ Node, ID, Address, Datacenter }: Node, heard: readonly Member[]): Member {
  const known = heard.find(({ Name }) => Name === Node);
  const Tags = { ...known?.Tags, role: 'consul', dc: Datacenter, id: ID, segment: '' };
  return { Name: Node, Addr: Address, Port: known?.Port ?? SERF_PORT, Tags, Status: 1 };
}
