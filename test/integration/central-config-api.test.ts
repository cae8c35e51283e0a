import type { HealthEntry } from '../../api/shapes/catalog.ts';
import { ServedServer } from '../support/served-server.ts';

let served: ServedServer;
beforeAll(async () => {
  served = await ServedServer.start();
});
afterAll(() => served.stop());

describe('?merge-central-config over HTTP', () => {
  it('follows the entries, also for who asks the same URL again and who waits', async () => {
    const Service = { Service: 'web-proxy', Kind: 'connect-proxy', Port: 1, Proxy: { DestinationServiceName: 'web' } };
    await served.put('/v1/catalog/register', { Node: 'n1', Address: '10.0.0.1', Service });
    const path = '/v1/health/connect/web?merge-central-config&passing';
    const mode = (text: string) => (JSON.parse(text) as HealthEntry[])[0]?.Service.Proxy?.Mode;
    for (const wanted of ['transparent', 'direct', '']) {
      const { index, text } = await served.call(`GET ${path}`);
      expect(mode(text)).not.toBe(wanted === '' ? 'transparent' : wanted);
      const waiting = served.call(`GET ${path}&index=${index}&wait=30s`);
      if (wanted === '') await served.call('DELETE /v1/config/service-defaults/web');
      else await served.put('/v1/config', { Kind: 'service-defaults', Name: 'web', Mode: wanted });
      expect(mode((await waiting).text)).toBe(wanted);
      expect(mode((await served.call(`GET ${path}`)).text)).toBe(wanted);
    }
    expect(await served.call('GET /v1/catalog/node/n1?merge-central-config=x')).toMatchObject({ status: 400 });
  });
});
