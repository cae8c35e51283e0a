import { jsonOf, RunningServer } from '../../test/support/running-server.ts';

let server: RunningServer;
beforeEach(async () => {
  server = await RunningServer.start();
});
afterEach(() => server.stop());

const json = async (method: string, url: string, body?: unknown) => jsonOf(await server.call(method, url, { body }));
const CONFIG = '/v1/operator/autopilot/configuration';

describe('operator endpoints of one server', () => {
  it('is a quorum of one that cannot be taken apart', async () => {
    const members = await json('GET', '/v1/operator/raft/configuration');
    expect(members).toMatchObject({ Servers: [{ Node: 'server-1', Address: '127.0.0.1:8300', Leader: true }] });
    const refused = async (method: string, url: string) => (await server.call(method, `/v1/operator/raft/${url}`)).text;
    expect(await refused('DELETE', 'peer?address=127.0.0.1:8300')).toMatch('the only server');
    expect(await refused('DELETE', 'peer?id=x')).toBe('id "x" was not found in the Raft configuration');
    expect(await refused('POST', 'transfer-leader')).toMatch('cannot find peer');
    expect(await json('GET', '/v1/operator/autopilot/health')).toMatchObject({ Healthy: true, FailureTolerance: 0 });
  });

  it('sets autopilot only at the index that was seen', async () => {
    const before = (await json('GET', CONFIG)) as { ModifyIndex: number };
    expect(await json('PUT', `${CONFIG}?cas=${before.ModifyIndex + 5}`, { MaxTrailingLogs: 1 })).toBe(false);
    expect(await json('PUT', `${CONFIG}?cas=${before.ModifyIndex}`, { MaxTrailingLogs: 7 })).toBe(true);
    const after = (await json('GET', CONFIG)) as { ModifyIndex: number };
    expect(after).toMatchObject({ MaxTrailingLogs: 7, CleanupDeadServers: false, ServerStabilizationTime: '0s' });
    expect(after.ModifyIndex).toBeGreaterThan(before.ModifyIndex);
    expect(await json('PUT', `${CONFIG}?cas=${before.ModifyIndex}`, {})).toBe(false);
  });

  it.each([
    ['', { MinQuorum: -1 }, 'MinQuorum must be 0 or more'],
    ['', { LastContactThreshold: '-1s' }, 'LastContactThreshold must not be negative'],
    ['', { MaxTrailingLogs: 'x' }, 'MaxTrailingLogs'],
    ['?cas=x', {}, 'cas'],
  ])('refuses %s %j', async (query, body, text) => {
    await expect(server.call('PUT', CONFIG + query, { body })).rejects.toThrow(text);
  });

  it('has no keyring, and says first what is wrong with a request for one', async () => {
    const keyring = '/v1/operator/keyring';
    const Key = Buffer.alloc(32).toString('base64');
    expect(await server.call('GET', `${keyring}?relay-factor=5&local-only`)).toMatchObject({ status: 500 });
    for (const method of ['POST', 'PUT', 'DELETE']) {
      expect((await server.call(method, keyring, { body: { Key } })).text).toMatch('there is no keyring');
      const Short = Buffer.alloc(31).toString('base64');
      const refused = server.call(method, keyring, { body: { Key: Short } });
      await expect(refused).rejects.toThrow(/^Invalid Key: want 16, 24 or 32 bytes in base64$/);
    }
    for (const query of ['relay-factor=6', 'relay-factor=x', 'local-only=maybe']) {
      await expect(server.call('GET', `${keyring}?${query}`)).rejects.toThrow(
        /^Error parsing (relay factor|local-only)/,
      );
    }
  });

  it('counts what is registered as it comes, changes and goes', async () => {
    const usage = async () =>
      ((await json('GET', '/v1/operator/usage')) as { Usage: Record<string, object> }).Usage.dc1 as object;
    const before = (await usage()) as { Nodes: number; ServiceInstances: number; Services: number };
    const at = { Node: 'n', Address: '10.0.0.1' };
    await server.register({ ...at, Service: { ID: 'a', Service: 'web' } });
    await server.register({ ...at, Service: { ID: 'b', Service: 'web' } });
    await server.register({ ...at, Service: { ID: 'b', Service: 'api', Connect: { Native: true } } });
    expect(await usage()).toMatchObject({
      Nodes: before.Nodes + 1,
      Services: before.Services + 2,
      ServiceInstances: before.ServiceInstances + 2,
      BillableServiceInstances: 2,
      ConnectServiceInstances: { 'connect-native': 1, 'mesh-gateway': 0 },
    });
    await server.call('PUT', '/v1/catalog/deregister', { body: { Node: 'n' } });
    expect(await usage()).toMatchObject({ ...before, BillableServiceInstances: 0 });
  });
});
