import type { ProxyDefaults, ServiceDefaults } from '../../api/shapes/config-entry/entry.ts';
import { mergeProxy, type RegisteredProxy } from './merge-proxy.ts';

const BASE = { TransparentProxy: {}, MeshGateway: {}, Expose: {} };
const global = (more: Partial<ProxyDefaults>): ProxyDefaults => ({
  Kind: 'proxy-defaults',
  Name: 'global',
  AccessLogs: {},
  ...BASE,
  ...more,
});
const defaults = (more: Partial<ServiceDefaults>): ServiceDefaults => ({
  Kind: 'service-defaults',
  Name: 'web',
  ...BASE,
  ...more,
});
const AS_SHOWN = { Mode: '', MeshGateway: {}, Expose: {} };
const merge = (
  proxy: RegisteredProxy,
  entries: { global?: ProxyDefaults; service?: ServiceDefaults; protocols?: Record<string, string> } = {},
) =>
  mergeProxy(
    { ...AS_SHOWN, ...proxy },
    { global: entries.global, service: entries.service, protocolOf: (name) => entries.protocols?.[name] },
  );

describe('a proxy with what entries say of it', () => {
  it('stays as it is without entries', () => {
    const proxy = { ...AS_SHOWN, Config: { a: 1 }, Upstreams: [{ DestinationName: 'db', MeshGateway: {} }] };
    expect(merge(proxy)).toEqual(proxy);
    expect(merge({}, { global: global({}), service: defaults({}) })).toEqual(AS_SHOWN);
  });

  it.each([
    ['Mode', { Mode: 'direct' }, { Mode: 'transparent' }, { Mode: 'transparent' }],
    [
      'MeshGateway',
      { MeshGateway: { Mode: 'none' } },
      { MeshGateway: { Mode: 'local' } },
      { MeshGateway: { Mode: 'remote' } },
    ],
    ['MutualTLSMode', { MutualTLSMode: 'strict' }, { MutualTLSMode: 'permissive' }, { MutualTLSMode: 'default' }],
    [
      'Expose',
      { Expose: { Paths: [{ Path: '/own' }] } },
      { Expose: { Paths: [{ Path: '/service' }] } },
      { Expose: { Paths: [{ Path: '/global' }] } },
    ],
    [
      'TransparentProxy',
      { TransparentProxy: { OutboundListenerPort: 1 } },
      { TransparentProxy: { OutboundListenerPort: 2 } },
      { TransparentProxy: { OutboundListenerPort: 3 } },
    ],
  ] as const)('has %s of its own, else of its service, else of all proxies', (field, own, service, all) => {
    const entries = { service: defaults(service), global: global(all) };
    expect(merge(own, entries)).toMatchObject(own);
    expect(merge({}, entries)).toMatchObject(service);
    expect(merge({}, { global: entries.global })).toMatchObject(all);
    expect(merge({}, { global: entries.global })).toHaveProperty(field);
  });

  it('has its Config laid over that of its service and of all proxies', () => {
    const service = defaults({
      Protocol: 'grpc',
      MaxInboundConnections: 7,
      LocalConnectTimeoutMs: 1,
      LocalRequestTimeoutMs: 2,
      BalanceInboundConnections: 'exact_balance',
      RateLimits: { InstanceLevel: { RequestsPerSecond: 5 } },
    });
    const all = global({ Config: { protocol: 'http', local_connect_timeout_ms: 9, other: { a: 1 } } });
    expect(merge({ Config: { max_inbound_connections: 8 } }, { service, global: all }).Config).toEqual({
      protocol: 'grpc',
      max_inbound_connections: 8,
      local_connect_timeout_ms: 1,
      local_request_timeout_ms: 2,
      balance_inbound_connections: 'exact_balance',
      rate_limits: { InstanceLevel: { RequestsPerSecond: 5 } },
      other: { a: 1 },
    });
  });

  it('has the extensions of all proxies before those of its service, and the access logs of all', () => {
    const merged = merge(
      {},
      {
        global: global({ EnvoyExtensions: [{ Name: 'a' }], AccessLogs: { Enabled: true } }),
        service: defaults({ EnvoyExtensions: [{ Name: 'b' }] }),
      },
    );
    expect(merged.EnvoyExtensions).toEqual([{ Name: 'a' }, { Name: 'b' }]);
    expect(merged.AccessLogs).toEqual({ Enabled: true });
  });
});

describe('the upstreams of a proxy', () => {
  const service = defaults({
    UpstreamConfig: {
      Defaults: { ConnectTimeoutMs: 100, MeshGateway: { Mode: 'local' }, Limits: { MaxConnections: 3 } },
      Overrides: [
        { Name: 'DB', ConnectTimeoutMs: 200, Protocol: 'tcp', MeshGateway: { Mode: 'none' } },
        { Name: 'far', Peer: 'east', EnvoyClusterJSON: '{}', MeshGateway: {} },
      ],
    },
  });
  const upstream = (DestinationName: string, more: object = {}) => ({ DestinationName, MeshGateway: {}, ...more });

  it('have what is said of them, over what is said of all', () => {
    const Upstreams = [
      upstream('db', { Config: { connect_timeout_ms: 300 } }),
      upstream('api', { MeshGateway: { Mode: 'remote' } }),
      upstream('q', { DestinationType: 'prepared_query' }),
    ];
    const merged = merge({ Upstreams }, { service, protocols: { db: 'grpc', api: 'http' } });
    expect(merged.Upstreams).toEqual([
      upstream('db', {
        Config: { protocol: 'tcp', connect_timeout_ms: 300, limits: { MaxConnections: 3 } },
        MeshGateway: { Mode: 'none' },
      }),
      upstream('api', {
        Config: { protocol: 'http', connect_timeout_ms: 100, limits: { MaxConnections: 3 } },
        MeshGateway: { Mode: 'remote' },
      }),
      upstream('q', { DestinationType: 'prepared_query' }),
    ]);
  });

  it('are more in a transparent proxy: those that entries name', () => {
    const merged = merge({ Upstreams: [upstream('db')] }, { service, global: global({ Mode: 'transparent' }) });
    expect(merged.Upstreams?.map(({ DestinationName, DestinationPeer }) => [DestinationName, DestinationPeer])).toEqual(
      [
        ['db', undefined],
        ['far', 'east'],
      ],
    );
    expect(merged.Upstreams?.[1]?.Config).toMatchObject({ envoy_cluster_json: '{}', connect_timeout_ms: 100 });
  });
});
