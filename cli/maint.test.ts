import { FakeApi } from '../test/support/command-run.ts';
import { maintCommand } from './maint.ts';

describe('lictor maint', () => {
  let api: FakeApi;
  beforeAll(async () => {
    api = await FakeApi.start({
      'PUT /v1/agent/maintenance': {},
      'PUT /v1/agent/service/maintenance/web-1': {},
      'GET /v1/agent/self': { body: { Config: { NodeName: 'n1' } } },
      'GET /v1/catalog/node-services/n1': { body: { Services: [{ ID: 'declared-1' }] } },
      'GET /v1/agent/checks': {
        body: {
          _node_maintenance: { CheckID: '_node_maintenance', Node: 'n1', ServiceID: '', Notes: 'disk' },
          web: { CheckID: 'web', Node: 'n1', ServiceID: 'web-1', Notes: '' },
        },
      },
    });
  });
  afterAll(() => api.stop());

  it('begins and ends maintenance', async () => {
    expect((await api.run(maintCommand, ['-enable', '-reason', 'new disk'])).stdout).toBe(
      'Node maintenance is now enabled\n',
    );
    expect(api.seen.at(-1)?.url).toBe('/v1/agent/maintenance?enable=true&reason=new+disk');
    expect((await api.run(maintCommand, ['-disable', '-service', 'web-1'])).stdout).toBe(
      'Service maintenance is now disabled for "web-1"\n',
    );
  });

  it('says of an instance that is not the agent’s where it is taken out of service', async () => {
    await expect(api.run(maintCommand, ['-enable', '-service=declared-1'])).rejects.toThrow(
      /^declared-1 is in the catalog, but not registered with this agent: a manifest declares it.*spec\.instances/,
    );
    await expect(api.run(maintCommand, ['-enable', '-service=none'])).rejects.toThrow(/answered 404/);
  });

  it('shows what is in maintenance', async () => {
    expect((await api.run(maintCommand, [])).stdout).toBe('Node:\n  Name:   n1\n  Reason: disk\n\n');
  });

  it.each([['-enable', '-disable'], ['-reason=x']])('refuses %s', async (...argv) => {
    await expect(api.run(maintCommand, argv)).rejects.toThrow(/-enable/);
  });
});
