import type {
  EnvoyExtension,
  Expose,
  MeshGateway,
  ProxyDefaults,
  ServiceDefaults,
  TransparentProxy,
  UpstreamConfig,
} from '../../api/shapes/config-entry/entry.ts';
import { isObject } from '../catalog/record-shape.ts';

type Values = Readonly<Record<string, unknown>>;

/** A proxy as it was registered, in the form in which instances show it. */
export interface RegisteredProxy {
  readonly Mode?: string;
  readonly Config?: Values;
  readonly Expose?: Expose;
  readonly MeshGateway?: MeshGateway;
  readonly TransparentProxy?: TransparentProxy;
  readonly MutualTLSMode?: string;
  readonly AccessLogs?: Values;
  readonly EnvoyExtensions?: readonly EnvoyExtension[];
  readonly Upstreams?: readonly RegisteredUpstream[];
}

export interface RegisteredUpstream {
  readonly DestinationType?: string;
  readonly DestinationName?: string;
  readonly DestinationPeer?: string;
  readonly Datacenter?: string;
  readonly Config?: Values;
  readonly MeshGateway?: MeshGateway;
}

/** The entries that concern a proxy. */
export interface ProxyEntries {
  readonly global: ProxyDefaults | undefined;
  /** Of the service whose proxy it is, or of the gateway itself. */
  readonly service: ServiceDefaults | undefined;
  /** The protocol that an upstream's own entry gives it. */
  protocolOf(upstream: string): string | undefined;
}

/**
 * A proxy with what configuration entries say of it: its own registration goes before service-defaults, and these before
 * proxy-defaults (Consul documentation, "Service defaults", "Proxy defaults").
 */
export function mergeProxy<P extends RegisteredProxy>(proxy: P, entries: ProxyEntries): P {
  const { global, service } = entries;
  const mode = proxy.Mode || service?.Mode || global?.Mode || '';
  const tls = proxy.MutualTLSMode || service?.MutualTLSMode || global?.MutualTLSMode;
  const logs = firstFilled(proxy.AccessLogs, global?.AccessLogs);
  const extensions = proxy.EnvoyExtensions ?? [...(global?.EnvoyExtensions ?? []), ...(service?.EnvoyExtensions ?? [])];
  const config = { ...global?.Config, ...ownConfig(service), ...proxy.Config };
  const transparent = mergeTransparent(proxy, service, global);
  const upstreams = mergeUpstreams({ ...proxy, Mode: mode }, entries);
  return {
    ...proxy,
    Mode: mode,
    ...(Object.keys(config).length > 0 && { Config: config }),
    MeshGateway: gatewayOf(proxy.MeshGateway, service?.MeshGateway, global?.MeshGateway),
    Expose: mergeExpose(proxy.Expose, service?.Expose, global?.Expose),
    ...(Object.keys(transparent).length > 0 && { TransparentProxy: transparent }),
    ...(tls && { MutualTLSMode: tls }),
    ...(logs && { AccessLogs: logs }),
    ...(extensions.length > 0 && { EnvoyExtensions: extensions }),
    ...(upstreams.length > 0 && { Upstreams: upstreams }),
  };
}

/** Settings that have fields of their own in service-defaults, under the names that a proxy's Config gives them. */
function ownConfig(service: ServiceDefaults | undefined): Values {
  if (!service) return {};
  return filled({
    protocol: service.Protocol,
    max_inbound_connections: service.MaxInboundConnections,
    local_connect_timeout_ms: service.LocalConnectTimeoutMs,
    local_request_timeout_ms: service.LocalRequestTimeoutMs,
    balance_inbound_connections: service.BalanceInboundConnections,
    rate_limits: service.RateLimits,
  });
}

function mergeTransparent(
  ...places: readonly ({ readonly TransparentProxy?: TransparentProxy } | undefined)[]
): Values {
  return filled({
    OutboundListenerPort: first(places, (place) => place?.TransparentProxy?.OutboundListenerPort),
    DialedDirectly: first(places, (place) => place?.TransparentProxy?.DialedDirectly),
  });
}

function mergeExpose(...places: readonly (Expose | undefined)[]): Values {
  return filled({
    Checks: first(places, (place) => place?.Checks),
    Paths: first(places, (place) => (place?.Paths?.length ? place.Paths : undefined)),
  });
}

/** A transparent proxy also has those upstreams that only entries tell apart. */
function mergeUpstreams(proxy: RegisteredProxy, entries: ProxyEntries): RegisteredUpstream[] {
  const { Overrides: overrides = [] } = entries.service?.UpstreamConfig ?? {};
  const registered = Array.isArray(proxy.Upstreams) ? (proxy.Upstreams as readonly RegisteredUpstream[]) : [];
  // Registrations may hold anything here: what is no upstream is shown as it is.
  const merged = registered.map((upstream) => (isUpstream(upstream) ? mergeUpstream(upstream, entries) : upstream));
  if (proxy.Mode !== 'transparent') return merged;
  const others = overrides.filter(
    (override) => !registered.some((upstream) => isUpstream(upstream) && isFor(override, upstream)),
  );
  const added = others.map(({ Name: name, Peer: peer }) =>
    mergeUpstream(
      {
        DestinationType: 'service',
        DestinationName: name,
        ...(peer && { DestinationPeer: peer }),
        Datacenter: '',
        MeshGateway: {},
      },
      entries,
    ),
  );
  return [...merged, ...added];
}

function isUpstream(upstream: unknown): boolean {
  return isObject(upstream) && ['string', 'undefined'].includes(typeof upstream.DestinationName);
}

function mergeUpstream(
  upstream: RegisteredUpstream,
  { global, service, protocolOf }: ProxyEntries,
): RegisteredUpstream {
  if (upstream.DestinationType === 'prepared_query') return upstream;
  const { Overrides: overrides = [], Defaults: defaults } = service?.UpstreamConfig ?? {};
  const override = overrides.find((one) => isFor(one, upstream));
  const protocol = protocolOf(upstream.DestinationName ?? '');
  const config = {
    ...(protocol && { protocol }),
    ...upstreamConfig(defaults),
    ...upstreamConfig(override),
    ...upstream.Config,
  };
  const gateway = gatewayOf(
    upstream.MeshGateway,
    override?.MeshGateway,
    defaults?.MeshGateway,
    service?.MeshGateway,
    global?.MeshGateway,
  );
  return { ...upstream, ...(Object.keys(config).length > 0 && { Config: config }), MeshGateway: gateway };
}

/** The fields of an upstream in service-defaults, under the names that an upstream's Config gives them. */
function upstreamConfig(config: UpstreamConfig | undefined): Values {
  if (!config) return {};
  return filled({
    envoy_listener_json: config.EnvoyListenerJSON,
    envoy_cluster_json: config.EnvoyClusterJSON,
    protocol: config.Protocol,
    connect_timeout_ms: config.ConnectTimeoutMs,
    limits: config.Limits,
    passive_health_check: config.PassiveHealthCheck,
    balance_outbound_connections: config.BalanceOutboundConnections,
  });
}

function isFor({ Name: name, Peer: peer = '' }: UpstreamConfig, upstream: RegisteredUpstream): boolean {
  return (
    name?.toLowerCase() === upstream.DestinationName?.toLowerCase() &&
    peer === (upstream.DestinationPeer ?? '') &&
    upstream.DestinationType !== 'prepared_query'
  );
}

function gatewayOf(...places: readonly (MeshGateway | undefined)[]): MeshGateway {
  const mode = first(places, (place) => place?.Mode);
  return mode ? { Mode: mode } : {};
}

function first<P, T>(places: readonly P[], of: (place: P) => T | undefined): T | undefined {
  for (const place of places) {
    const found = of(place);
    if (found) return found;
  }
  return undefined;
}

function firstFilled(...values: readonly (Values | undefined)[]): Values | undefined {
  return values.find((value) => value && Object.keys(value).length > 0);
}

function filled(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== ''));
}
