import { AppError } from '../../core/errors.ts';
import type { Route } from '../http/route.ts';
import { DONE } from './agent-answers.ts';
import type { AgentInfoBackend } from './agent-local-backend.ts';

/** Members that come and go, and the agent's tokens (Consul HTTP API, "Agent"). */
export function agentClusterRoutes(info: AgentInfoBackend): Route[] {
  return [
    {
      method: 'PUT',
      path: '/v1/agent/join/:address',
      handle(request) {
        const address = request.params.address ?? '';
        if (address === '') throw new AppError('badRequest', 'Missing the address to join');
        const text = `cannot join ${address}: there is no gossip; agents are given their servers by retry_join or -retry-join`;
        return { status: 500, text };
      },
    },
    {
      method: 'PUT',
      path: '/v1/agent/force-leave/:node',
      async handle(request) {
        const node = request.params.node ?? '';
        const members = await info.members(request.signal);
        if (!members.some(({ Name }) => Name.toLowerCase() === node.toLowerCase())) {
          return { status: 500, text: `agent: No node found with name '${node}'` };
        }
        // Every member that is known here is alive: Consul leaves those alone too.
        return DONE;
      },
    },
    {
      method: 'PUT',
      path: '/v1/agent/token/:kind',
      handle: () => ({ status: 401, text: 'ACL support disabled' }),
    },
  ];
}
