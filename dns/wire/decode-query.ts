import { AppError } from '../../core/errors.ts';
import { labelText, MAX_LABEL_BYTES, MAX_NAME_BYTES } from './name.ts';
import { type Question, RECORD_TYPES } from './record.ts';

export const HEADER_BYTES = 12;
export const OPCODE_QUERY = 0;

/** The fixed part of a message (RFC 1035 section 4.1.1). */
export interface Header {
  readonly id: number;
  /** True for a response: such a packet is never answered, or two servers could talk forever. */
  readonly response: boolean;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  readonly checkingDisabled: boolean;
}

/** What the OPT record of a query says (RFC 6891). */
export interface EdnsRequest {
  /** As advertised; values under 512 mean 512. */
  readonly udpSize: number;
  readonly version: number;
  /** The Client Subnet option with its scope set to 0, to be echoed (RFC 7871 section 7.2.1). */
  readonly clientSubnet?: Uint8Array;
}

/** A well-formed standard query with one question. */
export interface DecodedQuery extends Header {
  readonly question: Question;
  /** The labels of the name as text (UTF-8), case kept. */
  readonly labels: readonly string[];
  readonly edns?: EdnsRequest;
}

const OPTION_CLIENT_SUBNET = 8;
const utf8 = new TextDecoder();

/** The header, or undefined when the packet is too short to hold one. */
export function readHeader(packet: Uint8Array): Header | undefined {
  if (packet.length < HEADER_BYTES) return undefined;
  return {
    id: u16(packet, 0),
    response: (packet[2]! & 0x80) !== 0,
    opcode: (packet[2]! >> 3) & 0x0f,
    recursionDesired: (packet[2]! & 0x01) !== 0,
    checkingDisabled: (packet[3]! & 0x10) !== 0,
  };
}

/**
 * Decodes a standard query in one pass over the packet, without following a compression pointer: time and memory are
 * bounded by the packet's length.
 * @throws AppError `decode` with the facts `offset` and `field`.
 */
export function decodeQuery(packet: Uint8Array): DecodedQuery {
  const header = readHeader(packet);
  if (!header) throw malformed(packet.length, 'header', 'is shorter than 12 bytes');
  if (header.response) throw malformed(2, 'QR', 'is set: this is a response');
  if (header.opcode !== OPCODE_QUERY) throw malformed(2, 'OPCODE', `is ${header.opcode}, not a standard query`);
  if (u16(packet, 4) !== 1) throw malformed(4, 'QDCOUNT', `is ${u16(packet, 4)}; exactly one question is answered`);

  const { name, labels, end } = readQuestionName(packet);
  if (end + 4 > packet.length) throw malformed(end, 'QTYPE', 'is cut off');
  const question = { name, type: u16(packet, end), class: u16(packet, end + 2) };
  const records = readRecords(packet, end + 4);
  return { ...header, question, labels, edns: records.edns };
}

function readQuestionName(packet: Uint8Array): { name: string; labels: string[]; end: number } {
  const labels: string[] = [];
  let name = '';
  let at = HEADER_BYTES;
  for (;;) {
    const length = packet[at];
    if (length === undefined) throw malformed(at, 'QNAME', 'is cut off');
    // The question comes first, so that a compression pointer could only lead into the header or to itself.
    if (length > MAX_LABEL_BYTES) throw malformed(at, 'QNAME', 'holds a label of a type that a question cannot have');
    if (length === 0) break;
    const end = at + 1 + length;
    if (end >= packet.length) throw malformed(at, 'QNAME', 'is cut off');
    if (end - HEADER_BYTES + 1 > MAX_NAME_BYTES) throw malformed(at, 'QNAME', 'is longer than 255 bytes');
    const bytes = packet.subarray(at + 1, end);
    labels.push(utf8.decode(bytes));
    name += name === '' ? labelText(bytes) : `.${labelText(bytes)}`;
    at = end;
  }
  return { name, labels, end: at + 1 };
}

/** Walks over the records behind the question; only the OPT record of the additional section has a meaning here. */
function readRecords(packet: Uint8Array, start: number): { edns?: EdnsRequest } {
  const beforeAdditional = u16(packet, 6) + u16(packet, 8);
  const total = beforeAdditional + u16(packet, 10);
  let at = start;
  let edns: EdnsRequest | undefined;
  for (let i = 0; i < total; i++) {
    const nameEnd = skipName(packet, at);
    if (nameEnd + 10 > packet.length) throw malformed(nameEnd, 'record', 'is cut off');
    const end = nameEnd + 10 + u16(packet, nameEnd + 8);
    if (end > packet.length) throw malformed(nameEnd + 8, 'RDLENGTH', 'reaches behind the end of the message');
    if (u16(packet, nameEnd) === RECORD_TYPES.OPT) {
      if (i < beforeAdditional) throw malformed(at, 'OPT', 'is outside the additional section');
      if (edns) throw malformed(at, 'OPT', 'is there twice (RFC 6891 section 6.1.1)');
      if (nameEnd !== at + 1) throw malformed(at, 'OPT', 'has a name other than the root');
      edns = readOpt(packet, nameEnd, end);
    }
    at = end;
  }
  if (at !== packet.length)
    throw malformed(at, 'message', `is followed by ${packet.length - at} bytes of something else`);
  return { edns };
}

/** The offset behind a record's name. Pointers must lead backwards; they are not followed. */
function skipName(packet: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const length = packet[at];
    if (length === undefined) throw malformed(at, 'NAME', 'is cut off');
    if (length === 0) return at + 1;
    if (length >= 0xc0) {
      if (at + 2 > packet.length) throw malformed(at, 'NAME', 'is cut off');
      const target = u16(packet, at) & 0x3fff;
      if (target < HEADER_BYTES || target >= start)
        throw malformed(at, 'NAME', 'has a pointer that does not lead back');
      return at + 2;
    }
    if (length > MAX_LABEL_BYTES) throw malformed(at, 'NAME', 'holds a label of unknown type');
    at += 1 + length;
    if (at - start > MAX_NAME_BYTES) throw malformed(start, 'NAME', 'is longer than 255 bytes');
  }
}

function readOpt(packet: Uint8Array, at: number, end: number): EdnsRequest {
  let clientSubnet: Uint8Array | undefined;
  let option = at + 10;
  while (option < end) {
    if (option + 4 > end) throw malformed(option, 'OPT', 'holds an option that is cut off');
    const optionEnd = option + 4 + u16(packet, option + 2);
    if (optionEnd > end) throw malformed(option + 2, 'OPT', 'holds an option longer than the record');
    if (u16(packet, option) === OPTION_CLIENT_SUBNET)
      clientSubnet = echoedSubnet(packet.subarray(option + 4, optionEnd), option);
    option = optionEnd;
  }
  return { udpSize: u16(packet, at + 2), version: packet[at + 5]!, clientSubnet };
}

/** Checks a Client Subnet option (RFC 7871 section 6) and gives it with scope 0. */
function echoedSubnet(data: Uint8Array, offset: number): Uint8Array {
  const bits = { 1: 32, 2: 128 }[data.length < 4 ? 0 : u16(data, 0)];
  const prefix = data[2] ?? 0;
  if (bits === undefined || prefix > bits || data.length !== 4 + Math.ceil(prefix / 8)) {
    throw malformed(offset, 'OPT', 'holds a malformed client subnet');
  }
  const echo = new Uint8Array(data);
  echo[3] = 0;
  return echo;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function malformed(offset: number, field: string, problem: string): AppError {
  return new AppError('decode', `DNS query: ${field} at byte ${offset} ${problem}`, { facts: { offset, field } });
}
