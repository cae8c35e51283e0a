import { AppError } from '../core/errors.ts';
import type { AnswerSettings, SoaSettings } from './answers/settings.ts';
import { nameFromText, nameLength } from './wire/name.ts';

/** How the sockets behave; each has a default. */
export interface ListenerOptions {
  /** UDP questions in work at once; further ones are dropped. TCP is bounded by its connections. */
  readonly maxUdpInFlight: number;
  /** The kernel's receive buffer of the UDP socket, in bytes (the kernel may give less: net.core.rmem_max). */
  readonly udpReceiveBufferBytes: number;
  readonly maxTcpConnections: number;
  /** Pipelined questions in work on one connection (RFC 7766 section 6.2.1.1). */
  readonly maxInFlightPerConnection: number;
  /** A connection without a question is closed after this (RFC 7766 section 6.2.3). */
  readonly tcpIdleMs: number;
  /** From the first byte of a question to its last. */
  readonly tcpReadMs: number;
  /** How long answers may wait for a client that does not read. */
  readonly tcpWriteMs: number;
}

/** Options of the DNS server: where it listens, and Consul's DNS settings. */
export interface DnsOptions extends Partial<Omit<AnswerSettings, 'soa'>>, Partial<ListenerOptions> {
  /** IP addresses; '0.0.0.0' or '::' for all. */
  readonly hosts: readonly [string, ...string[]];
  /** Of all addresses. 0 takes a free port, the same for UDP and TCP. */
  readonly port: number;
  readonly datacenter: string;
  readonly soa?: Partial<SoaSettings>;
  /** Servers for names outside the zones: IP addresses, with a port unless it is 53. None: such names are refused. */
  readonly recursors?: readonly string[];
  /** Default sequential. */
  readonly recursorStrategy?: 'sequential' | 'random';
  /** For one recursor; default 2000. */
  readonly recursorTimeoutMs?: number;
  /** A lookup that takes longer is answered SERVFAIL. Default 2000, what stub resolvers wait before they retry. */
  readonly lookupTimeoutMs?: number;
}

export const LISTENER_DEFAULTS: ListenerOptions = {
  maxUdpInFlight: 4096,
  udpReceiveBufferBytes: 4 * 1024 * 1024, // about 10,000 waiting questions: a burst, or a short pause of ours
  maxTcpConnections: 256,
  maxInFlightPerConnection: 32,
  tcpIdleMs: 30_000,
  tcpReadMs: 5_000,
  tcpWriteMs: 10_000,
};

/**
 * Fills in Consul's defaults.
 * @throws AppError `config` naming the option that is wrong.
 */
export function answerSettings(options: DnsOptions): AnswerSettings {
  const settings: AnswerSettings = {
    datacenter: options.datacenter,
    domain: zoneName('domain', options.domain ?? 'consul'),
    altDomain: options.altDomain ? zoneName('alt_domain', options.altDomain) : undefined,
    nodeTtlSeconds: options.nodeTtlSeconds ?? 0,
    serviceTtlSeconds: options.serviceTtlSeconds ?? {},
    onlyPassing: options.onlyPassing ?? false,
    udpAnswerLimit: options.udpAnswerLimit ?? 3,
    aRecordLimit: options.aRecordLimit ?? 0,
    nodeMetaTxt: options.nodeMetaTxt ?? true,
    truncateBit: options.truncateBit ?? 'size',
    compress: options.compress ?? true,
    soa: { refresh: 3600, retry: 600, expire: 86400, minTtl: 0, ...options.soa },
  };
  requireSeconds('node_ttl', settings.nodeTtlSeconds);
  for (const [name, seconds] of Object.entries(settings.serviceTtlSeconds))
    requireSeconds(`service_ttl "${name}"`, seconds);
  for (const [name, seconds] of Object.entries(settings.soa)) requireSeconds(`soa ${name}`, seconds);
  return settings;
}

/** The sockets' options with their defaults filled in. */
export function listenerOptions(options: Partial<ListenerOptions>): ListenerOptions {
  const given = Object.entries(options).filter(([name, value]) => name in LISTENER_DEFAULTS && value !== undefined);
  return { ...LISTENER_DEFAULTS, ...Object.fromEntries(given) };
}

function zoneName(option: string, text: string): string {
  const name = nameFromText(text.startsWith('.') ? text.slice(1) : text);
  const length = nameLength(name);
  // 160: room below the zone for a node name or an address label with its datacenter.
  if (name === '' || length === undefined || length > 160) {
    throw new AppError(
      'config',
      `${option} "${text}" is no domain name; write labels of 1 to 63 characters joined by dots`,
      {
        facts: { field: option },
      },
    );
  }
  return name;
}

function requireSeconds(option: string, seconds: number): void {
  if (Number.isFinite(seconds) && seconds >= 0 && seconds < 2 ** 31) return;
  throw new AppError('config', `${option} is ${seconds}; write a time from 0 to 2147483647 seconds`, {
    facts: { field: option },
  });
}
