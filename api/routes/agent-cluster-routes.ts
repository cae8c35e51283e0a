import { AppError } from '../../core/errors.ts';
import type { Route } from '../http/route.ts';
import { DONE } from './agent-answers.ts';
import type { AgentClusterBackend } from './agent-local-backend.ts';

/** Members that come and go, and the agent's tokens (Consul HTTP API, "Agent"). */
export function agentClusterRoutes(cluster: AgentClusterBackend, { datacenter }: { datacenter: string }): Route[] {
  return [
    {
      method: 'PUT',
      path: '/v1/agent/join/:address',
      async handle(request) {
        const address = request.params.address ?? '';
        if (address === '') throw new AppError('badRequest', 'Missing the address to join');
        await cluster.join(address);
        return DONE;
      },
    },
    {
      method: 'PUT',
      path: '/v1/agent/leave',
      async handle() {
        await cluster.leave();
        return DONE;
      },
    },
    {
      method: 'PUT',
      path: '/v1/agent/force-leave/:node',
      async handle(request) {
        const given = request.params.node ?? '';
        // Servers have their datacenter behind their name among those of all datacenters.
        const node = request.query.has('wan') ? given.replace(new RegExp(`\\.${datacenter}$`), '') : given;
        // With or without ?prune: who has left is not among the members any more.
        if (await cluster.forceLeave(node, request.signal)) return DONE;
        return { status: 500, text: `agent: No node found with name '${given}'` };
      },
    },
    {
      method: 'PUT',
      path: '/v1/agent/token/:kind',
      handle: () => ({ status: 401, text: 'ACL support disabled' }),
    },
  ];
}
