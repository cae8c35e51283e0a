import type { ApiGateway, HttpRoute, TcpRoute } from '../../api/shapes/config-entry/entry.ts';
import { bindingsOf } from './route-binding.ts';

const gateway: ApiGateway = {
  Kind: 'api-gateway',
  Name: 'gw',
  Listeners: [
    { Name: 'web', Port: 80, Protocol: 'http', TLS: {} },
    { Name: 'shop', Port: 81, Protocol: 'http', Hostname: '*.shop.test', TLS: {} },
    { Name: 'raw', Port: 82, Protocol: 'tcp', TLS: {} },
  ],
};
const http = (Name: string, more: Partial<HttpRoute> = {}): HttpRoute => ({
  Kind: 'http-route',
  Name,
  Parents: [{ Kind: 'api-gateway', Name: 'GW' }],
  ...more,
});
const tcp = (Name: string, section?: string): TcpRoute => ({
  Kind: 'tcp-route',
  Name,
  Parents: [{ Kind: 'api-gateway', Name: 'gw', ...(section && { SectionName: section }) }],
});
const bound = (...routes: (HttpRoute | TcpRoute)[]) =>
  bindingsOf(gateway, routes).map(({ listener, routes: of }) => `${listener.Name}: ${of.map(({ Name }) => Name)}`);

describe('routes of listeners', () => {
  it.each([
    ['of the protocol', [http('a'), tcp('b')], ['web: a', 'shop: a', 'raw: b']],
    ['of the listener that the route names', [tcp('b', 'web')], ['web: ', 'shop: ', 'raw: ']],
    [
      'of one host name at least',
      [http('a', { Hostnames: ['x.SHOP.test'] }), http('b', { Hostnames: ['shop.test', 'other.test'] })],
      ['web: a,b', 'shop: a', 'raw: '],
    ],
    ['of a pattern of hosts', [http('a', { Hostnames: ['*.x.shop.test'] })], ['web: a', 'shop: a', 'raw: ']],
    ['of this gateway only', [http('a', { Parents: [{ Name: 'other' }] })], ['web: ', 'shop: ', 'raw: ']],
    ['for connections: the first', [tcp('a'), tcp('b')], ['web: ', 'shop: ', 'raw: a']],
  ])('are those %s', (_, routes, expected) => {
    expect(bound(...routes)).toEqual(expected);
  });
});
