import type { HealthEntry } from '../../api/shapes/catalog.ts';
import { RunningServer } from '../../test/support/running-server.ts';

const ZONE = { Region: 'eu-1', Zone: 'eu-1a' };

describe('Locality', () => {
  it('of a node and of an instance is shown where each is, and a change of it is a change', async () => {
    const server = await RunningServer.start();
    const register = (zone: object) =>
      server.register({ Node: 'n1', Address: '10.0.0.1', Locality: zone, Service: { Service: 'web', Locality: zone } });
    await register(ZONE);
    const read = await server.get<HealthEntry[]>('/v1/health/service/web');
    expect(read.json[0]).toMatchObject({ Node: { Locality: ZONE }, Service: { Locality: ZONE } });
    expect((await server.get<object[]>('/v1/catalog/service/web')).json[0]).toMatchObject({ ServiceLocality: ZONE });
    await register(ZONE);
    expect((await server.get('/v1/health/service/web')).index).toBe(read.index);
    await register({ Region: 'eu-2' });
    const moved = await server.get<HealthEntry[]>('/v1/health/service/web');
    expect(moved.json[0]!.Service.Locality).toEqual({ Region: 'eu-2' });
    expect(moved.index).toBeGreaterThan(read.index);
    await server.stop();
  });

  it('is not shown where none was given', async () => {
    const server = await RunningServer.start();
    await server.register({ Node: 'n1', Address: '10.0.0.1', Service: { Service: 'web' } });
    const [entry] = (await server.get<HealthEntry[]>('/v1/health/service/web')).json;
    expect(entry!.Node).not.toHaveProperty('Locality');
    expect(entry!.Service).not.toHaveProperty('Locality');
    expect((await server.get<object[]>('/v1/catalog/service/web')).json[0]).toMatchObject({ ServiceLocality: null });
    await server.stop();
  });
});

describe('what is Consul Enterprise', () => {
  it('is refused by name, not left out', async () => {
    const server = await RunningServer.start();
    await expect(server.get('/v1/health/service/web?sg=x')).rejects.toThrow('"sg"');
    await expect(server.get('/v1/health/service/web?sameness-group=x')).rejects.toThrow('"sameness-group"');
    await expect(server.call('GET', '/v1/catalog/nodes', { headers: { 'x-consul-partition': 'p' } })).rejects.toThrow(
      'X-Consul-Partition',
    );
    await server.stop();
  });
});
