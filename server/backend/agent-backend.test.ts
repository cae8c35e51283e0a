import type { AgentEntries } from '../../api/shapes/agent-sync.ts';
import { RunningServer } from '../../test/support/running-server.ts';

it('gives an agent the tags of its services that others may set', async () => {
  const server = await RunningServer.start();
  const agent = { owner: 'agent/n', epoch: 0, hash: 'as-declared' };
  const instance = (ID: string, Tags: string[], EnableTagOverride: boolean) => ({
    Node: 'n',
    Address: '10.0.0.1',
    Service: { ID, Service: 'web', Tags, EnableTagOverride },
  });
  await server.register(instance('a', ['v1'], true), agent);
  await server.register(instance('b', ['v1'], false), agent);
  await server.register(instance('a', ['primary'], true));
  const { json } = await server.get<AgentEntries>('/v1/internal/agent/n/entries');
  const Namespace = 'default';
  expect(json.Services).toHaveLength(2);
  expect(json.Services).toEqual(
    expect.arrayContaining([
      { Namespace, ServiceID: 'a', Hash: 'as-declared', Tags: ['primary'] },
      { Namespace, ServiceID: 'b', Hash: 'as-declared' },
    ]),
  );
  await server.stop();
});
