import type { Member } from '../../api/routes/agent-local-backend.ts';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startClientAgent, startServer } from '../support/processes/lictor.ts';

describe('members of other datacenters', () => {
  const running: AgentProcess[] = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
  });

  it.each([
    ['at their own port', ['-serf-wan-port=22302'], [['server-1.dc1', 22_302]]],
    ["at Consul's port", [], [['server-1.dc1', 8302]]],
    ['not at all when it is off', ['-serf-wan-port=-1'], []],
  ])(
    'are the servers, %s, whoever is asked',
    async (_, args, shown) => {
      const server = await startServer({ args });
      running.push(server);
      const client = await startClientAgent(server, { node: 'client-1' });
      running.push(client);
      for (const agent of [server, client]) {
        const members = (query: string) => agent.get<Member[]>(`/v1/agent/members${query}`);
        await eventually(
          async () => expect((await members('')).map(({ Name }) => Name).sort()).toEqual(['client-1', 'server-1']),
          { withinMs: 60_000 },
        );
        await eventually(
          async () => expect((await members('?wan=1')).map(({ Name, Port }) => [Name, Port])).toEqual(shown),
          { withinMs: 60_000 },
        );
      }
    },
    130_000,
  );
});
