import type { Clock } from '../../core/clock.ts';
import { filterOf } from '../filter/filter-cache.ts';
import { MEMBER_ROW } from '../filter/rows.ts';
import { readParams } from '../http/request-params.ts';
import type { Route } from '../http/route.ts';
import { WAN_PORT } from '../shapes/member-ports.ts';
import { memberShape } from './agent-answers.ts';
import type { AgentRouteBackend, Member } from './agent-local-backend.ts';

export interface AgentInfoRouteDeps {
  readonly backend: AgentRouteBackend;
  readonly clock: Clock;
}

/** Consul's gossip coordinate of a node without measurements: eight dimensions and a small height. */
const ORIGIN = { Vec: [0, 0, 0, 0, 0, 0, 0, 0], Error: 1.5, Adjustment: 0, Height: 1e-5 };

/** What the agent tells about itself and the members it knows (Consul HTTP API, "Agent"). */
export function agentInfoRoutes(deps: AgentInfoRouteDeps): Route[] {
  const { info } = deps.backend;
  return [
    {
      method: 'GET',
      path: '/v1/agent/self',
      handle: () => ({ json: { ...info.self(), Coord: ORIGIN, Member: memberShape(info.member()) } }),
    },
    { method: 'GET', path: '/v1/agent/host', handle: () => ({ json: info.host(deps.clock.now()) }) },
    {
      method: 'GET',
      path: '/v1/agent/version',
      handle() {
        const { Version, Revision, BuildDate } = info.self().Config as Record<string, string>;
        return { json: { SHA: Revision, BuildDate, HumanVersion: Version, FIPS: '' } };
      },
    },
    {
      method: 'GET',
      path: '/v1/agent/members',
      async handle(request) {
        const wanted = filterOf(readParams(request).filter, MEMBER_ROW);
        const segment = request.query.get('segment');
        if (segment && segment !== '_all') {
          return { status: 500, text: 'Network segments are not supported in this version of Consul' };
        }
        const members = await info.members(request.signal);
        if (!request.query.has('wan')) return { json: members.map(memberShape).filter(wanted) };
        return {
          json: members
            .flatMap((one) => wanMember(one, info.datacenter))
            .map(memberShape)
            .filter(wanted),
        };
      },
    },
  ];
}

/** A server as other datacenters join it, at Consul's port where it has not told its own; nothing when it has none. */
function wanMember(member: Member, datacenter: string): Member[] {
  const { role, wan_join_port: told = WAN_PORT } = member.Tags;
  if (role !== 'consul' || !(Number(told) > 0)) return [];
  return [{ ...member, Name: `${member.Name}.${datacenter}`, Port: Number(told) }];
}
