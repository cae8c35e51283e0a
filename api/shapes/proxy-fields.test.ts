import { connectFields, proxyFields } from './proxy-fields.ts';

describe('the fields of a proxy', () => {
  it('are known in snake_case at every level, and keys of opaque settings stay', () => {
    expect(
      proxyFields({
        destination_service_name: 'web',
        local_service_port: 80,
        config: { envoy_prometheus_bind_addr: '0.0.0.0:9102' },
        upstreams: [
          {
            destination_name: 'db',
            local_bind_port: 1,
            config: { connect_timeout_ms: 5 },
            mesh_gateway: { mode: 'local' },
          },
        ],
        mesh_gateway: { mode: 'remote' },
        expose: { checks: true, paths: [{ path: '/x', local_path_port: 2, listener_port: 3 }] },
        transparent_proxy: { outbound_listener_port: 15_001, dialed_directly: true },
        envoy_extensions: [{ name: 'builtin/lua', arguments: { proxy_type: 'connect-proxy' } }],
        access_logs: { enabled: true, json_format: '{}' },
      }),
    ).toEqual({
      DestinationServiceName: 'web',
      LocalServicePort: 80,
      Config: { envoy_prometheus_bind_addr: '0.0.0.0:9102' },
      Upstreams: [
        {
          DestinationName: 'db',
          LocalBindPort: 1,
          Config: { connect_timeout_ms: 5 },
          MeshGateway: { Mode: 'local' },
        },
      ],
      MeshGateway: { Mode: 'remote' },
      Expose: { Checks: true, Paths: [{ Path: '/x', LocalPathPort: 2, ListenerPort: 3 }] },
      TransparentProxy: { OutboundListenerPort: 15_001, DialedDirectly: true },
      EnvoyExtensions: [{ Name: 'builtin/lua', Arguments: { proxy_type: 'connect-proxy' } }],
      AccessLogs: { Enabled: true, JSONFormat: '{}' },
    });
  });

  it("stay as they are in Consul's spelling, which wins over another one of the same field", () => {
    const given = { DestinationServiceName: 'web', Upstreams: [{ DestinationName: 'db' }], Own: { a_b: 1 } };
    expect(proxyFields(given)).toEqual(given);
    expect(proxyFields({ mode: 'direct', Mode: 'transparent' })).toEqual({ Mode: 'transparent' });
    expect(proxyFields({ Mode: 'transparent', mode: 'direct' })).toEqual({ Mode: 'transparent' });
  });

  it('keep values of another form, and names that objects have by themselves', () => {
    expect(proxyFields({ upstreams: 'x', expose: null, constructor: 1 })).toEqual({
      Upstreams: 'x',
      Expose: null,
      constructor: 1,
    });
    expect(connectFields({ native: true, sidecar_service: { port: 1 } })).toEqual({
      Native: true,
      SidecarService: { port: 1 },
    });
  });
});
