/** The SOA record's times, in seconds. */
export interface SoaSettings {
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
  /** How long resolvers may keep a negative answer (RFC 2308); the TTL of the SOA record itself, too. */
  readonly minTtl: number;
}

/** What shapes answers; Consul's `domain`, `datacenter` and `dns_config` with their defaults filled in. */
export interface AnswerSettings {
  readonly datacenter: string;
  /** The zone in presentation form, without a final dot. */
  readonly domain: string;
  /** A second zone with the same content; answers use the zone that was asked. */
  readonly altDomain?: string;
  readonly nodeTtlSeconds: number;
  /** By service name: exact, else the longest prefix ending in `*`, else `*`; 0 when nothing fits. */
  readonly serviceTtlSeconds: Readonly<Record<string, number>>;
  /** Leaves out instances with a warning, too. */
  readonly onlyPassing: boolean;
  /** At most so many answers over UDP to clients without EDNS (or with 512 bytes); 1 to 8. */
  readonly udpAnswerLimit: number;
  /** At most so many address answers to A, AAAA and ANY, over UDP and TCP; 0 = no limit. */
  readonly aRecordLimit: number;
  /** Whether a node's metadata goes into the additional section as TXT records. */
  readonly nodeMetaTxt: boolean;
  /** When an answer that was cut carries TC: never, when its size was the reason, or for the answer limit as well. */
  readonly truncateBit: 'off' | 'size' | 'any';
  /** False writes every name in full. */
  readonly compress: boolean;
  readonly soa: SoaSettings;
}

/** The time to live of a service's records (Consul's `service_ttl`), in seconds. Names compare without case. */
export function serviceTtl(service: string, ttls: Readonly<Record<string, number>>): number {
  const wanted = service.toLowerCase();
  let found = 0;
  let foundLength = -1;
  for (const [pattern, seconds] of Object.entries(ttls)) {
    const lower = pattern.toLowerCase();
    if (lower === wanted) return seconds;
    if (!lower.endsWith('*') || lower.length <= foundLength || !wanted.startsWith(lower.slice(0, -1))) continue;
    found = seconds;
    foundLength = lower.length;
  }
  return found;
}
