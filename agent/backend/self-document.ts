import { cpus } from 'node:os';
import { hostPort } from '../../core/host-port.ts';
import type { AgentConfig, RpcTlsSettings, TlsSettings } from '../config/agent-config.ts';
import type { LocalState } from '../local-state/local-state.ts';
import type { AgentIdentity } from './agent-info.ts';

/** What a server knows of its cluster; an agent in client mode has none. */
export interface QuorumStats {
  /** `host:port`, '' while there is no leader. */
  readonly leaderAddress: string;
  readonly isLeader: boolean;
  readonly peers: number;
  readonly appliedIndex: number;
}

type Texts = Record<string, string>;

/** Go's names of processor architectures, which tools compare. */
const ARCHITECTURES: Readonly<Texts> = { x64: 'amd64', ia32: '386' };
const NEVER_BUILT = '1970-01-01T00:00:01Z';

export function isServer(config: AgentConfig): boolean {
  return config.mode !== 'client';
}

/** `Config` of GET /v1/agent/self: the part of the configuration that is promised to stay. */
export function stableConfig(config: AgentConfig, identity: AgentIdentity): object {
  return {
    Datacenter: config.datacenter,
    PrimaryDatacenter: config.primaryDatacenter,
    NodeName: config.nodeName,
    NodeID: identity.nodeId,
    Revision: '',
    Server: isServer(config),
    Version: identity.consulVersion,
    BuildDate: NEVER_BUILT,
  };
}

/** `DebugConfig`: what tools read of the configuration in force, under Consul's names. Never secrets. */
export function debugConfig(config: AgentConfig, identity: AgentIdentity): object {
  const { addresses, ports, dns, http } = config;
  const at = (scheme: string, hosts: readonly string[], port: number) =>
    port < 0 ? [] : hosts.map((host) => (host.startsWith('unix:') ? host : `${scheme}://${hostPort(host, port)}`));
  return {
    ACLsEnabled: false,
    AllowWriteHTTPFrom: http.allowWriteFrom,
    AdvertiseAddrLAN: identity.address,
    AdvertiseAddrWAN: identity.address,
    AutoReloadConfig: config.autoReload,
    BindAddr: config.bindAddress,
    Bootstrap: config.bootstrap,
    BootstrapExpect: config.bootstrapExpect,
    CheckOutputMaxSize: config.checkOutputMaxBytes,
    CheckUpdateInterval: seconds(config.checkUpdateIntervalMs),
    DiscardCheckOutput: config.discardCheckOutput,
    ClientAddrs: config.clientAddresses,
    ConnectEnabled: config.connect.enabled,
    DNSAddrs: [...at('tcp', addresses.dns, ports.dns), ...at('udp', addresses.dns, ports.dns)],
    DNSAltDomain: dns.altDomain,
    DNSDomain: `${dns.domain}.`,
    DNSEnableTruncate: dns.enableTruncate,
    DNSOnlyPassing: dns.onlyPassing,
    DNSPort: ports.dns,
    DNSRecursors: dns.recursors,
    DataDir: config.dataDir,
    Datacenter: config.datacenter,
    DefaultQueryTime: seconds(http.defaultQueryMs),
    DevMode: config.mode === 'dev',
    DisableCoordinates: config.disableCoordinates,
    DiscoveryMaxStale: seconds(http.discoveryMaxStaleMs),
    EnableDebug: false,
    EnableLocalScriptChecks: config.enableLocalScriptChecks,
    EnableRemoteScriptChecks: config.enableScriptChecks,
    GRPCPort: ports.grpc,
    GRPCTLSPort: ports.grpcTls,
    HTTPAddrs: at('tcp', addresses.http, ports.http),
    HTTPBlockEndpoints: http.blockEndpoints,
    HTTPMaxConnsPerClient: config.maxConnectionsPerClient,
    HTTPMaxHeaderBytes: config.maxHeaderBytes,
    HTTPPort: ports.http,
    HTTPResponseHeaders: http.responseHeaders,
    HTTPSAddrs: at('tcp', addresses.https, ports.https),
    HTTPSHandshakeTimeout: seconds(config.httpsHandshakeTimeoutMs),
    HTTPSPort: ports.https,
    HTTPUseCache: http.useCache,
    KVMaxValueSize: config.kv.kvMaxValueBytes,
    LeaveOnTerm: config.leaveOnTerminate === true,
    Logging: { LogLevel: config.logLevel.toUpperCase() },
    MaxQueryTime: seconds(http.maxQueryMs),
    NodeID: identity.nodeId,
    NodeMeta: config.nodeMeta,
    NodeName: config.nodeName,
    PrimaryDatacenter: config.primaryDatacenter,
    RPCHandshakeTimeout: seconds(config.rpcHandshakeTimeoutMs),
    RetryJoinLAN: config.retryJoin,
    SerfAdvertiseAddrLAN: at('tcp', [identity.address], ports.serfLan)[0] ?? '',
    SerfPortLAN: ports.serfLan,
    SerfPortWAN: ports.serfWan,
    ServerMode: isServer(config),
    ServerPort: ports.server,
    SessionTTLMin: seconds(config.kv.sessionTtlMinMs),
    SkipLeaveOnInt: config.skipLeaveOnInterrupt !== false,
    TLS: { HTTPS: tlsDocument(config.tls.https), InternalRPC: tlsDocument(config.tls.internalRpc) },
    TaggedAddresses: { lan: identity.address, wan: identity.address },
    TranslateWANAddrs: http.translateWanAddresses,
    TxnMaxReqLen: config.kv.txnMaxBytes,
    UnixSocketGroup: config.unixSockets.group,
    UnixSocketMode: config.unixSockets.mode?.toString(8) ?? '',
    UnixSocketUser: config.unixSockets.user,
    Version: identity.consulVersion,
  };
}

/** Under Consul's names; keys are never shown, nor where they are. */
function tlsDocument(tls: TlsSettings | RpcTlsSettings): object {
  return {
    CAFile: tls.caFile,
    CAPath: tls.caPath,
    CertFile: tls.certFile,
    CipherSuites: tls.cipherSuites,
    KeyFile: 'hidden',
    TLSMinVersion: { TLSv1: 'TLSv1_0', 'TLSv1.1': 'TLSv1_1', 'TLSv1.2': 'TLSv1_2', 'TLSv1.3': 'TLSv1_3' }[
      tls.minVersion
    ],
    VerifyIncoming: tls.verifyIncoming,
    ...('verifyOutgoing' in tls
      ? { VerifyOutgoing: tls.verifyOutgoing, VerifyServerHostname: tls.verifyServerHostname }
      : {}),
  };
}

/** `Stats`, all texts as Consul's; what `lictor info` prints. */
export function stats(
  given: { config: AgentConfig; identity: AgentIdentity; local: Pick<LocalState, 'checks' | 'services'> },
  quorum: QuorumStats | undefined,
): Record<string, Texts> {
  const { config, identity, local } = given;
  const checks = [...local.checks()];
  const ttls = checks.filter((check) => check.type === 'ttl').length;
  const cores = String(cpus().length);
  return {
    agent: {
      check_monitors: String(checks.length - ttls),
      check_ttls: String(ttls),
      checks: String(checks.length),
      services: String(local.services().length),
    },
    build: {
      prerelease: '',
      revision: '',
      version: identity.consulVersion,
      version_metadata: '',
      lictor: identity.version,
    },
    consul: {
      server: String(isServer(config)),
      ...(quorum
        ? {
            bootstrap: String(quorum.peers <= 1),
            known_datacenters: '1',
            leader: String(quorum.isLeader),
            leader_addr: quorum.leaderAddress,
          }
        : {}),
    },
    raft: quorum ? raft(quorum) : {},
    runtime: {
      arch: ARCHITECTURES[process.arch] ?? process.arch,
      cpu_count: cores,
      max_procs: cores,
      os: process.platform,
      version: `node ${process.version}`,
    },
    serf_lan: {},
    serf_wan: {},
  };
}

function raft(quorum: QuorumStats): Texts {
  const index = String(quorum.appliedIndex);
  return {
    applied_index: index,
    commit_index: index,
    last_log_index: index,
    num_peers: String(Math.max(0, quorum.peers - 1)),
    state: quorum.isLeader ? 'Leader' : 'Follower',
  };
}

/** As Go writes durations of whole seconds. */
function seconds(ms: number): string {
  const total = Math.round(ms / 1000);
  const [minutes, rest] = [Math.floor(total / 60), total % 60];
  const hours = Math.floor(minutes / 60);
  if (hours > 0) return `${hours}h${minutes % 60}m${rest}s`;
  return minutes > 0 ? `${minutes}m${rest}s` : `${rest}s`;
}
