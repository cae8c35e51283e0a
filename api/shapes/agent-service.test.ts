import { decodeAgentCheck } from './agent-check.ts';
import { decodeAgentService } from './agent-service.ts';

const decoded = (body: object) => decodeAgentService(Buffer.from(JSON.stringify(body)));
const LONG = 'n'.repeat(1025);
const FITS = 'n'.repeat(1024);
const PROXY = { Name: 'p', Kind: 'connect-proxy', Port: 20_000 };
const upstream = (DestinationName: string, more: object = {}) => ({ DestinationName, LocalBindPort: 9000, ...more });
const proxy = (more: object) => ({ ...PROXY, Proxy: { DestinationServiceName: 'web', ...more } });
const upstreams = (...Upstreams: unknown[]) => proxy({ Upstreams });

describe('a service of an agent', () => {
  it.each<[string, object]>([
    ['Name', { Name: LONG, ID: 'short' }],
    ['ID', { Name: 'web', ID: LONG }],
    ['ID', { Name: 'web', ID: '/'.repeat(350) }],
    ['ID', { Name: 'web', ID: 'ä'.repeat(513) }],
    ['CheckID', { Name: 'web', Check: { CheckID: LONG, TTL: '10s' } }],
    ['CheckID', { Name: 'web', Checks: [{ TTL: '10s' }, { ID: LONG, TTL: '10s' }] }],
    ['Connect.SidecarService.Name', { Name: 'web', Connect: { SidecarService: { Name: LONG } } }],
    ['Connect.SidecarService.ID', { Name: 'web', ID: FITS, Connect: { SidecarService: {} } }],
  ])('is refused when the catalog could never take its %s', (field, body) => {
    const text = new RegExp(`^Invalid ${field}: it has \\d+ bytes, of which 1024 are possible`);
    expect(() => decoded(body)).toThrow(
      expect.objectContaining({ code: 'badRequest', message: expect.stringMatching(text) }),
    );
  });

  it('may have names and ids up to the limit, with checks whose ids follow from them', () => {
    const { instance, checks } = decoded({ Name: FITS, Checks: [{ TTL: '10s' }, { Name: LONG, TTL: '10s' }] });
    expect([instance.ID, checks.map(({ checkId }) => checkId)]).toEqual([
      FITS,
      [`service:${FITS}:1`, `service:${FITS}:2`],
    ]);
  });

  it.each<[string, object]>([
    ['Ports[1].Name: http is given twice', { Ports: [named('http', 80), named('http', 81)] }],
    ['Ports: at most one of them', { Ports: [named('a', 80, true), named('b', 81, true)] }],
    ['Port 81 is not the default one of Ports (80)', { Port: 81, Ports: [named('http', 80)] }],
  ])('has ports that the catalog takes, too: %s', (text, more) => {
    expect(() => decoded({ Name: 'web', ...more })).toThrow(text);
  });

  it('may say as a mesh gateway, and only so, that other datacenters reach servers through it', () => {
    const Meta = { 'consul-wan-federation': '1' };
    expect(decoded({ Name: 'gw', Kind: 'mesh-gateway', Port: 8443, Meta }).instance.Meta).toEqual(Meta);
    expect(() => decoded({ Name: 'web', Meta })).toThrow(/'consul-' is reserved/);
    expect(() => decoded({ Name: 'gw', Kind: 'mesh-gateway', Port: 8443, Meta: { 'consul-x': '1' } })).toThrow(
      /'consul-' is reserved/,
    );
  });

  it('may have the default one of its named ports as its port', () => {
    const Ports = [named('http', 80), named('admin', 81)];
    for (const more of [{}, { Port: 80 }, { Port: 81 }]) {
      expect(decoded({ Name: 'web', Ports, ...more }).instance.Ports).toEqual(Ports);
    }
  });

  it.each<[string, object]>([
    ["Proxy.DestinationServiceName must not be '*'", { ...PROXY, Proxy: { DestinationServiceName: '*' } }],
    ['Connect.Native must not be set for a connect-proxy', { ...proxy({}), Connect: { Native: true } }],
    [
      'Proxy.Upstreams[1]: the destination is that of another',
      upstreams(upstream('db'), upstream('db', { LocalBindPort: 9 })),
    ],
    ['Proxy.Upstreams[0]: upstream destination name cannot be empty', upstreams({ LocalBindPort: 9 })],
    ['Proxy.Upstreams[1]: LocalBindPort 127.0.0.1:9000 is', upstreams(upstream('db'), upstream('api'))],
    ['Proxy.Upstreams[0]: LocalBindPort or LocalBindSocketPath', upstreams({ DestinationName: 'db' })],
    [
      'Proxy.Upstreams[0]: LocalBindPort or',
      { Name: 'w', Connect: { SidecarService: { proxy: { upstreams: [{ destination_name: 'db' }] } } } },
    ],
    ['Port must be non-zero for a mesh-gateway', { Name: 'gw', Kind: 'mesh-gateway' }],
    ['Port must be non-zero for a terminating-gateway', { Name: 'gw', Kind: 'terminating-gateway' }],
    ['Proxy.DestinationServiceName must not be set', { ...proxy({}), Kind: 'mesh-gateway' }],
  ])('is refused as part of the mesh with: %s', (text, body) => {
    expect(() => decoded(body)).toThrow(
      expect.objectContaining({ code: 'badRequest', message: expect.stringContaining(text) }),
    );
  });

  it.each<[string, object]>([
    [
      'upstreams on other ports or addresses',
      upstreams(upstream('a'), upstream('b', { LocalBindAddress: '127.0.0.2' })),
    ],
    ['names that differ in case', upstreams(upstream('db'), upstream('DB', { LocalBindPort: 9 }))],
    ['one name in two datacenters', upstreams(upstream('a'), upstream('a', { Datacenter: 'dc2', LocalBindPort: 9 }))],
    ['a socket instead of a port', upstreams({ DestinationName: 'a', LocalBindSocketPath: '/run/a' })],
    ['a transparent proxy', proxy({ Mode: 'transparent', Upstreams: [{ DestinationName: 'a' }] })],
    ['what entries have made', upstreams({ DestinationName: 'a', CentrallyConfigured: true })],
    ['what is no upstream', upstreams(null, 'db')],
    ['a gateway with the ports of its listeners', { Name: 'edge', Kind: 'ingress-gateway' }],
    ['a kind that is not known', { Name: 'x', Kind: 'no-such-kind' }],
  ])('is taken with %s', (_, body) => {
    expect(decoded(body).instance.Service).toBe((body as { Name: string }).Name);
  });
});

it.each(['CheckID', 'ID', 'Name'])('a check alone is refused when the catalog could never take its %s', (field) => {
  const body = { Name: 'c', TTL: '10s', [field]: LONG };
  expect(() => decodeAgentCheck(Buffer.from(JSON.stringify(body)))).toThrow(
    /^Invalid (CheckID|Name): it has 1025 bytes/,
  );
});

function named(Name: string, Port: number, Default?: boolean): object {
  return { Name, Port, ...(Default ? { Default } : {}) };
}
