import { RunningServer } from '../../test/support/running-server.ts';

const proxy = (id: string) => ({
  Node: 'n1',
  Address: '10.0.0.1',
  Service: { Kind: 'connect-proxy', ID: id, Service: 'web-proxy', Port: 1, Proxy: { DestinationServiceName: 'Web' } },
});
const PATH = '/v1/health/connect/web';

describe('mesh endpoints of a service', () => {
  it('have an index that rises with each of them, and with the last one that goes', async () => {
    const server = await RunningServer.start();
    const read = async () => {
      const { json, index } = await server.get<{ Service: { ID: string } }[]>(PATH);
      return { ids: json.map((entry) => entry.Service.ID), index };
    };
    const seen = [await read()];
    await server.register(proxy('a'));
    seen.push(await read());
    await server.register(proxy('b'));
    seen.push(await read());
    for (const ServiceID of ['a', 'b']) {
      await server.call('PUT', '/v1/catalog/deregister', { body: { Node: 'n1', ServiceID } });
      seen.push(await read());
    }
    expect(seen.map(({ ids }) => ids.join())).toEqual(['', 'a', 'a,b', 'b', '']);
    for (let at = 1; at < seen.length; at++) expect(seen[at]!.index).toBeGreaterThan(seen[at - 1]!.index);
    await server.stop();
  });
});
