import type { AgentCheck } from '../../api/shapes/agent-check.ts';
import type { AgentService } from '../../api/shapes/agent-service.ts';
import type { ConfigEntry } from '../../api/shapes/config-entry/entry.ts';
import type { LogLevel } from '../../core/log.ts';
import type { MetricsProxyConfig } from './metrics-proxy.ts';

/** Ports; -1 is off. */
export interface AgentPorts {
  readonly http: number;
  readonly https: number;
  readonly dns: number;
  readonly grpc: number;
  readonly grpcTls: number;
  readonly server: number;
  readonly serfLan: number;
  readonly serfWan: number;
}

/** Consul's dns_config and what goes with it; times in milliseconds. */
export interface AgentDnsConfig {
  readonly domain: string;
  readonly altDomain: string;
  readonly recursors: readonly string[];
  readonly recursorStrategy: 'sequential' | 'random';
  /** For one recursor. */
  readonly recursorTimeoutMs: number;
  readonly nodeTtlMs: number;
  /** By service name, a prefix ending in `*`, or `*`. */
  readonly serviceTtlMs: Readonly<Record<string, number>>;
  readonly onlyPassing: boolean;
  readonly enableTruncate: boolean;
  readonly udpAnswerLimit: number;
  readonly aRecordLimit: number;
  readonly nodeMetaTxt: boolean;
  readonly disableCompression: boolean;
  /** Seconds, as in the SOA record. */
  readonly soa: { readonly refresh: number; readonly retry: number; readonly expire: number; readonly minTtl: number };
}

/** TLS of one interface; paths are '' when not given. */
export interface TlsSettings {
  /** Where the keys are, for messages: `tls.https`. */
  readonly section: string;
  readonly caFile: string;
  readonly caPath: string;
  /** Given both or none. */
  readonly certFile: string;
  readonly keyFile: string;
  readonly minVersion: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
  /** OpenSSL's names; the runtime's choice when empty. */
  readonly cipherSuites: readonly string[];
  readonly verifyIncoming: boolean;
}

/** TLS between agents and servers and among servers (`tls.internal_rpc`). */
export interface RpcTlsSettings extends TlsSettings {
  /** Whether servers are spoken to by TLS, and only when one of `caFile` or `caPath` has signed for them. */
  readonly verifyOutgoing: boolean;
  /** Whether what they show must be for `server.<datacenter>.<domain>`. */
  readonly verifyServerHostname: boolean;
}

/** What the operator sets for the HTTP API; all of it may change while the agent runs. */
export interface AgentHttpConfig {
  /** Beginnings of paths. */
  readonly blockEndpoints: readonly string[];
  readonly responseHeaders: Readonly<Record<string, string>>;
  /** Networks in CIDR notation; all when empty. */
  readonly allowWriteFrom: readonly string[];
  readonly useCache: boolean;
  readonly defaultQueryMs: number;
  readonly maxQueryMs: number;
  /** 0 = reads ask the leader. */
  readonly discoveryMaxStaleMs: number;
  readonly translateWanAddresses: boolean;
}

/** A watch and what it starts on each change; exactly one handler. */
export interface WatchConfig {
  readonly type: string;
  /** What to watch, by the names of the flags of `lictor watch` with underscores (`key`, `service`, …). */
  readonly params: Readonly<Record<string, unknown>>;
  readonly handler:
    | { readonly kind: 'script'; readonly args: readonly string[] }
    | { readonly kind: 'shell'; readonly line: string }
    | { readonly kind: 'http'; readonly http: WatchHttp };
}

export interface WatchHttp {
  readonly path: string;
  readonly method: string;
  readonly timeoutMs: number;
  readonly header: Readonly<Record<string, readonly string[]>>;
}

/** Where the servers of a cluster keep the catalog together. */
export interface EtcdConfig {
  /** `http://host:port` or `https://host:port` of the members; none = a store of this server's own in the data folder. */
  readonly endpoints: readonly string[];
  /** All keys begin with it. */
  readonly prefix: string;
  /** Files in PEM, '' for none. */
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** The name that etcd's certificates are for, '' for that of the endpoint. */
  readonly serverName: string;
  /** The program that a server without endpoints runs: a path, or a name on PATH. */
  readonly bin: string;
  /** Where that one listens for its own server, and for the other members. */
  readonly clientPort: number;
  readonly peerPort: number;
}

/** Where something listens: IP addresses, or paths of sockets (`unix:///path`) for HTTP. */
export type Addresses = readonly [string, ...string[]];

/** Everything an agent is told, with defaults filled in. */
export interface AgentConfig {
  /** `dev` keeps everything in memory and is a server. */
  readonly mode: 'client' | 'server' | 'dev';
  readonly bootstrap: boolean;
  /** Servers to wait for; 0 when not given. */
  readonly bootstrapExpect: number;
  readonly nodeName: string;
  /** '' = made once and kept in the data folder. */
  readonly nodeId: string;
  readonly nodeMeta: Readonly<Record<string, string>>;
  readonly datacenter: string;
  readonly primaryDatacenter: string;
  /** '' only in dev mode. */
  readonly dataDir: string;
  readonly bindAddress: string;
  /** '' = the bind address, or the first private address of the machine when that is a wildcard. */
  readonly advertiseAddress: string;
  /** Where clients are served; HTTP and DNS may have their own. */
  readonly clientAddresses: Addresses;
  readonly addresses: { readonly http: Addresses; readonly https: Addresses; readonly dns: Addresses };
  readonly ports: AgentPorts;
  readonly tls: { readonly https: TlsSettings; readonly internalRpc: RpcTlsSettings };
  readonly httpsHandshakeTimeoutMs: number;
  /** On the servers' own port, until the headers of a request have come. */
  readonly rpcHandshakeTimeoutMs: number;
  readonly http: AgentHttpConfig;
  /** Of a request's line and headers. */
  readonly maxHeaderBytes: number;
  /** Of socket files: names or numbers, '' = as the process; mode undefined = by its umask. */
  readonly unixSockets: { readonly user: string; readonly group: string; readonly mode: number | undefined };
  readonly dns: AgentDnsConfig;
  readonly connect: {
    readonly enabled: boolean;
    /** What a new cluster's certificate authority begins with, as it was given. */
    readonly caConfig: Readonly<Record<string, unknown>>;
  };
  /** When no intention fits. */
  readonly defaultIntentionPolicy: 'allow' | 'deny';
  /** The coordinate endpoints are off, and `?near=` orders nothing. */
  readonly disableCoordinates: boolean;
  readonly logLevel: LogLevel;
  /** Of servers: the store that they share. */
  readonly etcd: EtcdConfig;
  /** `host` or `host:port` of servers. */
  readonly retryJoin: readonly string[];
  /** Until a server that does not answer is asked again, and how long a try to join takes; undefined when not given. */
  readonly retryIntervalMs: number | undefined;
  /** Tries to join before the agent ends; 0: for ever. */
  readonly retryMax: number;
  readonly services: readonly AgentService[];
  readonly checks: readonly { readonly check: AgentCheck; readonly namespace: string | undefined }[];
  readonly watches: readonly WatchConfig[];
  /** undefined when the user interface's metrics come from nowhere. */
  readonly metricsProxy: MetricsProxyConfig | undefined;
  /** Of servers: written where there are none. */
  readonly bootstrapEntries: readonly ConfigEntry[];
  /** Whether a change of a configuration file is a reload. */
  readonly autoReload: boolean;
  readonly checkUpdateIntervalMs: number;
  readonly checkOutputMaxBytes: number;
  /** What checks say is not kept, only their status. */
  readonly discardCheckOutput: boolean;
  /** Where the id of the process is kept; '' = nowhere. */
  readonly pidFile: string;
  /** The host's name as it is part of the names of gauges in Consul's form; '' = it is not. */
  readonly metricsHost: string;
  /** Clients of the API may register checks that run commands. */
  readonly enableScriptChecks: boolean;
  /** The configuration may declare checks that run commands. */
  readonly enableLocalScriptChecks: boolean;
  readonly sidecarPorts: { readonly min: number; readonly max: number };
  readonly maxConnectionsPerClient: number;
  /** Of servers: limits of values, of transactions' bodies, and of sessions' times to live. */
  readonly kv: { readonly kvMaxValueBytes: number; readonly txnMaxBytes: number; readonly sessionTtlMinMs: number };
  /** undefined = as Consul: clients leave on TERM, servers do not. */
  readonly leaveOnTerminate: boolean | undefined;
  readonly skipLeaveOnInterrupt: boolean | undefined;
}

/** Checks a configuration for one part of the agent, and gives what puts it in force. */
export type PrepareConfig = (config: AgentConfig) => () => void | Promise<void>;

/** A configuration that changes while the agent runs. */
export interface ConfigReloads {
  readonly current: AgentConfig;
  /** Adds a part that changes with the configuration. */
  add(part: PrepareConfig): void;
  /** Reads the files anew. @throws AppError `config`: one clear line; nothing has changed then. */
  reload(): Promise<void>;
}

/** A configuration and what was accepted without effect: one line each. */
export interface ParsedAgentConfig {
  readonly config: AgentConfig;
  readonly warnings: readonly string[];
}
