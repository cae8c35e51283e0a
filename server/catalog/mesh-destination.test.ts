import { RunningServer } from '../../test/support/running-server.ts';
import { meshDestination, upstreamServices } from './mesh-destination.ts';

describe('what a proxy is told to connect to', () => {
  it.each([
    [undefined, []],
    [{}, []],
    [{ Upstreams: 'x' }, []],
    [{ Upstreams: [null, 5, 'x', [], {}, { DestinationName: 5 }, { DestinationName: 'db' }] }, ['db']],
    [{ Upstreams: [{ DestinationName: 'q', DestinationType: 'prepared_query' }] }, []],
    [{ Upstreams: [{ DestinationName: 'a', DestinationPeer: 'p' }] }, []],
  ])('of %j is %j', (proxy, services) => {
    expect(upstreamServices(proxy as Record<string, unknown> | undefined)).toEqual(services);
  });

  it.each([5, null, '', []])('is no service when the destination is %j', (DestinationServiceName) => {
    const content = { Kind: 'connect-proxy', Service: 'p', Proxy: { DestinationServiceName } };
    expect(meshDestination('default', content)).toBeUndefined();
  });

  it('may be anything in a registration: the server goes on', async () => {
    const server = await RunningServer.start();
    const proxy = (ID: string, own: object) =>
      server.call('PUT', '/v1/catalog/register', {
        body: {
          Node: 'n',
          Address: '10.0.0.1',
          Service: { ID, Service: 'web-proxy', Kind: 'connect-proxy', Proxy: own },
        },
      });
    const read = async () => [
      await server.get('/v1/internal/ui/service-topology/web?kind='),
      await server.get('/v1/health/service/web-proxy?merge-central-config'),
    ];
    const UpstreamConfig = { Overrides: [{ Name: 'db', Protocol: 'http' }] };
    await server.call('PUT', '/v1/config', { body: { Kind: 'service-defaults', Name: 'web', UpstreamConfig } });
    await proxy('a', { DestinationServiceName: 'web', Upstreams: [{ DestinationName: 'db' }] });
    await read();
    for (const Upstreams of [[null], ['x'], [[]], [{ DestinationName: 5 }], 'x', {}, 5, null]) {
      await proxy('b', { DestinationServiceName: 'web', Upstreams });
      await read();
      await server.get('/v1/internal/ui/service-topology/db?kind=');
    }
    await server.stop();
  });
});
