/** DNS record types by number (IANA "DNS Parameters"). Only those that answers hold, or that queries often ask for. */
export const RECORD_TYPES = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  NAPTR: 35,
  OPT: 41,
  DS: 43,
  DNSKEY: 48,
  SVCB: 64,
  HTTPS: 65,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
  CAA: 257,
} as const;

/** A type with a name of its own. */
export type RecordTypeName = keyof typeof RECORD_TYPES;

const NAME_BY_NUMBER = new Map<number, string>(Object.entries(RECORD_TYPES).map(([name, number]) => [number, name]));

/** The name of a type, or `TYPE<n>` (RFC 3597 section 5). */
export function recordTypeName(type: number): string {
  return NAME_BY_NUMBER.get(type) ?? `TYPE${type}`;
}

/** The Internet class, the only one served (RFC 1035 section 3.2.4). */
export const CLASS_IN = 1;
/** The query class `*`, which includes IN. */
export const CLASS_ANY = 255;

/**
 * A record that answers may hold. Names are in presentation form without a final dot (name.ts); `ttl` is in seconds.
 * A TXT record's text is cut into character-strings of 255 bytes when it is written.
 */
export type ResourceRecord =
  | { readonly type: 'A' | 'AAAA'; readonly name: string; readonly ttl: number; readonly address: string }
  | { readonly type: 'CNAME' | 'NS' | 'PTR'; readonly name: string; readonly ttl: number; readonly target: string }
  | SrvRecord
  | { readonly type: 'TXT'; readonly name: string; readonly ttl: number; readonly text: string }
  | SoaRecord;

/** RFC 2782. */
export interface SrvRecord {
  readonly type: 'SRV';
  readonly name: string;
  readonly ttl: number;
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/** RFC 1035 section 3.3.13; times in seconds. */
export interface SoaRecord {
  readonly type: 'SOA';
  readonly name: string;
  readonly ttl: number;
  readonly primary: string;
  readonly mailbox: string;
  readonly serial: number;
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
  readonly minimum: number;
}

/** The question of a query, as it was asked. */
export interface Question {
  /** Presentation form, upper and lower case kept. '' is the root. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
}
