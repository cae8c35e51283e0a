/** A configuration entry as it is stored and, with its indexes and hash, shown: zero values are left out. */
export interface ConfigEntry {
  readonly Kind: ConfigKind;
  readonly Name: string;
  readonly Meta?: Readonly<Record<string, string>>;
}

export interface Indexes {
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

/** The kinds of Consul's community edition. */
export type ConfigKind =
  | 'service-defaults'
  | 'proxy-defaults'
  | 'service-router'
  | 'service-splitter'
  | 'service-resolver'
  | 'service-intentions'
  | 'ingress-gateway'
  | 'terminating-gateway'
  | 'api-gateway'
  | 'http-route'
  | 'tcp-route'
  | 'inline-certificate'
  | 'file-system-certificate'
  | 'mesh'
  | 'exported-services'
  | 'jwt-provider';

export interface MeshGateway {
  readonly Mode?: string;
}

export interface TransparentProxy {
  readonly OutboundListenerPort?: number;
  readonly DialedDirectly?: boolean;
}

export interface UpstreamConfig {
  readonly Name?: string;
  readonly Peer?: string;
  readonly Protocol?: string;
  readonly EnvoyListenerJSON?: string;
  readonly EnvoyClusterJSON?: string;
  readonly ConnectTimeoutMs?: number;
  readonly Limits?: object;
  readonly PassiveHealthCheck?: object;
  readonly BalanceOutboundConnections?: string;
  readonly MeshGateway: MeshGateway;
}

export interface ServiceDefaults extends ConfigEntry {
  readonly Protocol?: string;
  readonly Mode?: string;
  readonly TransparentProxy: TransparentProxy;
  readonly MutualTLSMode?: string;
  readonly EnvoyExtensions?: readonly EnvoyExtension[];
  readonly MeshGateway: MeshGateway;
  readonly Expose: Expose;
  readonly ExternalSNI?: string;
  readonly UpstreamConfig?: { readonly Overrides?: readonly UpstreamConfig[]; readonly Defaults?: UpstreamConfig };
  readonly Destination?: { readonly Addresses?: readonly string[]; readonly Port?: number };
  readonly MaxInboundConnections?: number;
  readonly LocalConnectTimeoutMs?: number;
  readonly LocalRequestTimeoutMs?: number;
  readonly BalanceInboundConnections?: string;
  readonly RateLimits?: object;
}

export interface EnvoyExtension {
  readonly Name?: string;
}

export interface Expose {
  readonly Checks?: boolean;
  readonly Paths?: readonly { readonly Path?: string; readonly Protocol?: string }[];
}

export interface ProxyDefaults extends ConfigEntry {
  readonly Config?: Readonly<Record<string, unknown>>;
  readonly Mode?: string;
  readonly TransparentProxy: TransparentProxy;
  readonly MutualTLSMode?: string;
  readonly MeshGateway: MeshGateway;
  readonly Expose: Expose;
  readonly AccessLogs: Readonly<Record<string, unknown>>;
  readonly EnvoyExtensions?: readonly EnvoyExtension[];
  readonly FailoverPolicy?: { readonly Mode?: string; readonly Regions?: readonly string[] };
  readonly PrioritizeByLocality?: { readonly Mode?: string };
}

/** How one field of a request has to be; one of the ways to compare is given. */
export interface HttpMatcher {
  readonly Name?: string;
  readonly Present?: boolean;
  readonly Exact?: string;
  readonly Prefix?: string;
  readonly Suffix?: string;
  readonly Contains?: string;
  readonly Regex?: string;
  readonly Invert?: boolean;
  readonly IgnoreCase?: boolean;
}

export interface HttpMatch {
  readonly PathExact?: string;
  readonly PathPrefix?: string;
  readonly PathRegex?: string;
  readonly CaseInsensitive?: boolean;
  readonly Header?: readonly HttpMatcher[];
  readonly QueryParam?: readonly HttpMatcher[];
  readonly Methods?: readonly string[];
}

export interface RouteDestination {
  readonly Service?: string;
  readonly ServiceSubset?: string;
  readonly PrefixRewrite?: string;
  readonly RequestTimeout?: string;
  readonly IdleTimeout?: string;
  readonly NumRetries?: number;
  readonly RetryOnConnectFailure?: boolean;
  readonly RetryOnStatusCodes?: readonly number[];
  readonly RetryOn?: readonly string[];
}

export interface ServiceRoute {
  readonly Match?: { readonly HTTP?: HttpMatch };
  readonly Destination?: RouteDestination;
}

export interface ServiceRouter extends ConfigEntry {
  readonly Routes?: readonly ServiceRoute[];
}

export interface ServiceSplit {
  readonly Weight?: number;
  readonly Service?: string;
  readonly ServiceSubset?: string;
}

export interface ServiceSplitter extends ConfigEntry {
  readonly Splits?: readonly ServiceSplit[];
}

export interface ResolverSubset {
  readonly Filter?: string;
  readonly OnlyPassing?: boolean;
}

export interface ResolverTarget {
  readonly Service?: string;
  readonly ServiceSubset?: string;
  readonly Datacenter?: string;
  readonly Peer?: string;
}

export interface ResolverFailover {
  readonly Service?: string;
  readonly ServiceSubset?: string;
  readonly Datacenters?: readonly string[];
  readonly Targets?: readonly ResolverTarget[];
  readonly Policy?: { readonly Mode?: string; readonly Regions?: readonly string[] };
}

export interface LoadBalancer {
  readonly Policy?: string;
  readonly RingHashConfig?: { readonly MinimumRingSize?: number; readonly MaximumRingSize?: number };
  readonly LeastRequestConfig?: { readonly ChoiceCount?: number };
  readonly HashPolicies?: readonly {
    readonly Field?: string;
    readonly FieldValue?: string;
    readonly CookieConfig?: { readonly Session?: boolean; readonly TTL?: number; readonly Path?: string };
    readonly SourceIP?: boolean;
    readonly Terminal?: boolean;
  }[];
}

export interface ServiceResolver extends ConfigEntry {
  readonly DefaultSubset?: string;
  readonly Subsets?: Readonly<Record<string, ResolverSubset>>;
  readonly Redirect?: ResolverTarget;
  readonly Failover?: Readonly<Record<string, ResolverFailover>>;
  readonly ConnectTimeout?: string;
  readonly RequestTimeout?: string;
  readonly LoadBalancer?: LoadBalancer;
  readonly PrioritizeByLocality?: { readonly Mode?: string };
}

export interface IntentionPermission {
  readonly Action?: string;
  readonly HTTP?: HttpMatch;
  readonly JWT?: JwtRequirement;
}

export interface JwtRequirement {
  readonly Providers?: readonly { readonly Name?: string }[];
}

export interface IntentionSource {
  readonly Name: string;
  readonly Peer?: string;
  readonly Action?: 'allow' | 'deny';
  readonly Permissions?: readonly IntentionPermission[];
  readonly Precedence: number;
  readonly Type: string;
  readonly Description?: string;
  readonly LegacyID?: string;
  readonly LegacyMeta?: Readonly<Record<string, string>>;
  readonly LegacyCreateTime?: string;
  readonly LegacyUpdateTime?: string;
}

export interface ServiceIntentions extends ConfigEntry {
  readonly Sources: readonly IntentionSource[];
  readonly JWT?: JwtRequirement;
}

export interface IngressGateway extends ConfigEntry {
  readonly TLS: { readonly Enabled: boolean; readonly TLSMinVersion?: string; readonly TLSMaxVersion?: string };
  readonly Listeners?: readonly {
    readonly Port?: number;
    readonly Protocol?: string;
    readonly TLS?: { readonly Enabled?: boolean };
    readonly Services?: readonly { readonly Name?: string; readonly Hosts?: readonly string[] }[];
  }[];
}

export interface TerminatingGateway extends ConfigEntry {
  readonly Services?: readonly {
    readonly Name?: string;
    readonly CAFile?: string;
    readonly CertFile?: string;
    readonly KeyFile?: string;
    readonly SNI?: string;
    readonly DisableAutoHostRewrite?: boolean;
  }[];
}

export interface GatewayReference {
  readonly Kind?: string;
  readonly Name?: string;
  readonly SectionName?: string;
}

export interface ApiGateway extends ConfigEntry {
  readonly Listeners?: readonly {
    readonly Name?: string;
    readonly Hostname?: string;
    readonly Port?: number;
    readonly Protocol?: string;
    readonly TLS: { readonly Certificates?: readonly GatewayReference[] };
  }[];
}

export interface HttpRoute extends ConfigEntry {
  readonly Hostnames?: readonly string[];
  readonly Parents?: readonly GatewayReference[];
  readonly Rules?: readonly {
    readonly Matches?: readonly {
      readonly Path: { readonly Match?: string; readonly Value?: string };
      readonly Method?: string;
      readonly Headers?: readonly { readonly Match?: string; readonly Name?: string }[];
      readonly Query?: readonly { readonly Match?: string; readonly Name?: string }[];
    }[];
    readonly Services?: readonly { readonly Name?: string; readonly Weight?: number }[];
  }[];
}

export interface TcpRoute extends ConfigEntry {
  readonly Parents?: readonly GatewayReference[];
  readonly Services?: readonly { readonly Name?: string }[];
}

export interface Certificate extends ConfigEntry {
  readonly Certificate?: string;
  readonly PrivateKey?: string;
}

export interface Mesh extends ConfigEntry {
  readonly TransparentProxy: { readonly MeshDestinationsOnly?: boolean };
  readonly TLS?: Readonly<Record<string, { readonly TLSMinVersion?: string; readonly TLSMaxVersion?: string }>>;
}

export interface ExportedServices extends ConfigEntry {
  readonly Services?: readonly {
    readonly Name?: string;
    readonly Consumers?: readonly { readonly Peer?: string }[];
  }[];
}

export interface JwtProvider extends ConfigEntry {
  readonly Issuer?: string;
  readonly JSONWebKeySet?: {
    readonly Local?: { readonly JWKS?: string; readonly Filename?: string };
    readonly Remote?: { readonly URI?: string };
  };
  readonly Locations?: readonly {
    readonly Header?: { readonly Name?: string };
    readonly QueryParam?: { readonly Name?: string };
    readonly Cookie?: { readonly Name?: string };
  }[];
}
