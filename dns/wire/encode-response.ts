import type { Rcode } from '../../core/errors.ts';
import { HEADER_BYTES } from './decode-query.ts';
import { addressType, writeIpv4, writeIpv6 } from './ip-address.ts';
import { labelEnd, nameLength, writeLabel } from './name.ts';
import { CLASS_IN, type Question, RECORD_TYPES, type ResourceRecord } from './record.ts';

/** The codes of the error table, and the one of EDNS (RFC 6891 section 9). */
export type ResponseCode = Rcode | 'BADVERS';

const RCODE_NUMBERS: Record<ResponseCode, number> = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
};

/** A response, ready to be written. */
export interface DnsResponse {
  readonly id: number;
  readonly opcode: number;
  readonly rcode: ResponseCode;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  readonly checkingDisabled: boolean;
  /** Absent when the query's own question could not be read. */
  readonly question?: Question;
  readonly answers: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  readonly additional: readonly ResourceRecord[];
  /** To be there exactly when the query had an OPT record (RFC 6891 section 6.1.1). */
  readonly edns?: { readonly udpSize: number; readonly clientSubnet?: Uint8Array };
}

/** An OPT record without options. */
export const OPT_BYTES = 11;
const RECORD_FIXED_BYTES = 10; // type, class, TTL, RDLENGTH
const MAX_POINTER = 0x3fff; // a compression pointer has 14 bits
const MAX_TTL = 2 ** 31 - 1; // RFC 2181 section 8
const CHARACTER_STRING_BYTES = 255;

/**
 * The length of a response without name compression: an upper bound of what `encodeResponse` writes. Names and
 * addresses must be valid (`nameLength`, `addressType`).
 */
export function uncompressedLength(response: DnsResponse): number {
  let length = HEADER_BYTES;
  if (response.question) length += nameBytes(response.question.name) + 4;
  if (response.edns) length += ednsLength(response.edns);
  return (
    length + sectionLength(response.answers) + sectionLength(response.authority) + sectionLength(response.additional)
  );
}

function sectionLength(records: readonly ResourceRecord[]): number {
  let length = 0;
  let owner: string | undefined;
  let ownerBytes = 0;
  for (const record of records) {
    // Most answers have one owner name; it is measured once.
    if (record.name !== owner) {
      owner = record.name;
      ownerBytes = nameBytes(owner);
    }
    length += ownerBytes + RECORD_FIXED_BYTES + dataLength(record);
  }
  return length;
}

/** The length of the OPT record that answers an EDNS query. */
export function ednsLength(edns: NonNullable<DnsResponse['edns']>): number {
  return OPT_BYTES + (edns.clientSubnet ? 4 + edns.clientSubnet.length : 0);
}

/** Writes a response. Names are compressed (RFC 1035 section 4.1.4) unless told otherwise. */
export function encodeResponse(response: DnsResponse, options: { compress: boolean }): Uint8Array {
  const out = new Writer(new Uint8Array(uncompressedLength(response)), options.compress);
  const rcode = RCODE_NUMBERS[response.rcode];
  out.u16(response.id);
  out.u16(
    0x8000 |
      (response.opcode << 11) |
      (response.authoritative ? 0x0400 : 0) |
      (response.truncated ? 0x0200 : 0) |
      (response.recursionDesired ? 0x0100 : 0) |
      (response.recursionAvailable ? 0x0080 : 0) |
      (response.checkingDisabled ? 0x0010 : 0) |
      (rcode & 0x0f),
  );
  out.u16(response.question ? 1 : 0);
  out.u16(response.answers.length);
  out.u16(response.authority.length);
  out.u16(response.additional.length + (response.edns ? 1 : 0));
  if (response.question) {
    out.name(response.question.name);
    out.u16(response.question.type);
    out.u16(response.question.class);
  }
  for (const record of response.answers) writeRecord(out, record);
  for (const record of response.authority) writeRecord(out, record);
  for (const record of response.additional) writeRecord(out, record);
  if (response.edns) writeOpt(out, response.edns, rcode >> 4);
  return out.finish();
}

function writeRecord(out: Writer, record: ResourceRecord): void {
  out.name(record.name);
  out.u16(RECORD_TYPES[record.type]);
  out.u16(CLASS_IN);
  out.u32(Math.min(Math.max(0, Math.trunc(record.ttl)), MAX_TTL));
  const lengthAt = out.reserveU16();
  writeData(out, record);
  out.fillLength(lengthAt);
}

function writeData(out: Writer, record: ResourceRecord): void {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      out.address(record.address);
      break;
    case 'CNAME':
    case 'NS':
    case 'PTR':
      out.name(record.target);
      break;
    case 'SRV':
      out.u16(record.priority);
      out.u16(record.weight);
      out.u16(record.port);
      out.name(record.target, false); // RFC 2782: "name compression is not to be used for this field"
      break;
    case 'TXT':
      out.text(record.text);
      break;
    case 'SOA':
      out.name(record.primary);
      out.name(record.mailbox);
      for (const value of [record.serial, record.refresh, record.retry, record.expire, record.minimum]) out.u32(value);
      break;
  }
}

function writeOpt(out: Writer, edns: NonNullable<DnsResponse['edns']>, extendedRcode: number): void {
  out.u8(0);
  out.u16(RECORD_TYPES.OPT);
  out.u16(edns.udpSize);
  out.u32(extendedRcode << 24); // version 0, no flags: DO is not echoed, for nothing here is signed
  const subnet = edns.clientSubnet;
  out.u16(subnet ? 4 + subnet.length : 0);
  if (!subnet) return;
  out.u16(8);
  out.u16(subnet.length);
  out.bytes(subnet);
}

function dataLength(record: ResourceRecord): number {
  switch (record.type) {
    case 'A':
      return 4;
    case 'AAAA':
      return 16;
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return nameBytes(record.target);
    case 'SRV':
      return 6 + nameBytes(record.target);
    case 'TXT': {
      const bytes = Buffer.byteLength(record.text);
      return bytes + Math.max(1, Math.ceil(bytes / CHARACTER_STRING_BYTES));
    }
    case 'SOA':
      return nameBytes(record.primary) + nameBytes(record.mailbox) + 20;
  }
}

function nameBytes(name: string): number {
  const length = nameLength(name);
  if (length === undefined) throw new RangeError(`"${name}" is no DNS name`);
  return length;
}

/** Writes into a buffer that is known to be long enough; remembers where names stand. */
class Writer {
  readonly #out: Uint8Array;
  readonly #compress: boolean;
  /** Where each suffix of a written name starts. Case is kept: a pointer must not change how a name reads. */
  readonly #offsets = new Map<string, number>();
  #at = 0;

  constructor(out: Uint8Array, compress: boolean) {
    this.#out = out;
    this.#compress = compress;
  }

  u8(value: number): void {
    this.#out[this.#at++] = value;
  }

  u16(value: number): void {
    this.#out[this.#at++] = value >> 8;
    this.#out[this.#at++] = value;
  }

  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value & 0xffff);
  }

  bytes(bytes: Uint8Array): void {
    this.#out.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  name(name: string, mayPoint = true): void {
    for (let start = 0; start < name.length; ) {
      if (this.#compress) {
        const suffix = start === 0 ? name : name.slice(start);
        const known = this.#offsets.get(suffix);
        if (known !== undefined && mayPoint) {
          this.u16(0xc000 | known);
          return;
        }
        if (known === undefined && this.#at <= MAX_POINTER) this.#offsets.set(suffix, this.#at);
      }
      const end = labelEnd(name, start);
      this.#at = writeLabel(name, start, end, this.#out, this.#at);
      start = end + 1;
    }
    this.u8(0);
  }

  address(address: string): void {
    const write = addressType(address) === 'A' ? writeIpv4 : writeIpv6;
    this.#at = write(address, this.#out, this.#at);
  }

  text(text: string): void {
    const bytes = Buffer.from(text);
    let from = 0;
    do {
      const part = bytes.subarray(from, from + CHARACTER_STRING_BYTES);
      this.u8(part.length);
      this.bytes(part);
      from += CHARACTER_STRING_BYTES;
    } while (from < bytes.length);
  }

  reserveU16(): number {
    this.#at += 2;
    return this.#at - 2;
  }

  /** Fills in the length of what was written since `reserveU16` gave `at`. */
  fillLength(at: number): void {
    const length = this.#at - at - 2;
    this.#out[at] = length >> 8;
    this.#out[at + 1] = length;
  }

  finish(): Uint8Array {
    return this.#out.subarray(0, this.#at);
  }
}
