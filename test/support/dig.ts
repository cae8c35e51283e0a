import { encode, type Packet } from 'dns-packet';
import type { Responder } from '../../dns/responder.ts';
import { decodeMessage } from '../../dns/wire/decode-message.ts';
import { RECORD_TYPES } from '../../dns/wire/record.ts';

/** A response as dig would print it, names without their final dot; sections are sorted. */
export interface DigAnswer {
  /** Rcode, then the flags that are set among aa, tc, ra. */
  is: string;
  question: string[];
  answer: string[];
  authority: string[];
  additional: string[];
  /** The UDP size of the OPT record, if there is one. */
  edns?: number;
  /** Length in bytes. */
  size: number;
}

/** Asks a responder in the form of dig's command line. The query is written by an independent codec. */
export class Dig {
  readonly #responder: Responder;
  #id = 0;

  constructor(responder: Responder) {
    this.#responder = responder;
  }

  async ask(name: string, type: string, options: { edns?: number; tcp?: boolean } = {}): Promise<DigAnswer> {
    const id = ++this.#id;
    const response = await this.#responder.respond(
      queryBytes(name, type, { id, edns: options.edns }),
      options.tcp ? 'tcp' : 'udp',
    );
    if (!response) throw new Error(`no answer to ${name} ${type}`);
    const seen = readResponse(response);
    if (seen.id !== id) throw new Error(`answer ${seen.id} to question ${id}`);
    return seen.answer;
  }
}

/** A query as a client would send it. */
export function queryBytes(name: string, type: string, options: { id?: number; edns?: number } = {}): Buffer {
  const packet: Packet = {
    type: 'query',
    id: options.id ?? 1,
    flags: 0,
    questions: [{ type: type as 'A', name, class: 'IN' }],
    additionals:
      options.edns === undefined
        ? []
        : [
            {
              type: 'OPT',
              name: '.',
              udpPayloadSize: options.edns,
              extendedRcode: 0,
              ednsVersion: 0,
              flags: 0,
              flag_do: false,
              options: [],
            },
          ],
  };
  if (!(type in RECORD_TYPES)) throw new Error(`unknown type ${type}`);
  return encode(packet);
}

/** Reads a response with an independent codec. */
export function readResponse(bytes: Uint8Array): { id: number; answer: DigAnswer } {
  const packet = decodeMessage(bytes) as ReturnType<typeof decodeMessage> & { rcode: string };
  const flags = [packet.flag_aa && 'aa', packet.flag_tc && 'tc', packet.flag_ra && 'ra'].filter(Boolean);
  const lines = (records: readonly Record<string, unknown>[] = []) =>
    records
      .filter(({ type }) => type !== 'OPT')
      .map(recordLine)
      .sort();
  const opt = packet.additionals?.find(({ type }) => type === 'OPT') as
    | { udpPayloadSize: number; extendedRcode: number }
    | undefined;
  const answer: DigAnswer = {
    is: [opt?.extendedRcode === 1 ? 'BADVERS' : packet.rcode, ...flags].join(' '), // 16 = extended 1, low bits 0
    question: (packet.questions ?? []).map(({ name, type }) => `${name} ${type}`),
    answer: lines(packet.answers as never),
    authority: lines(packet.authorities as never),
    additional: lines(packet.additionals as never),
    size: bytes.length,
    ...(opt ? { edns: opt.udpPayloadSize } : {}),
  };
  return { id: packet.id ?? 0, answer };
}

function recordLine(record: Record<string, unknown>): string {
  return `${record.name} ${record.ttl} ${record.type} ${dataText(record.type as string, record.data)}`;
}

function dataText(type: string, data: unknown): string {
  if (type === 'SRV') {
    const { priority, weight, port, target } = data as Record<string, unknown>;
    return `${priority} ${weight} ${port} ${target}`;
  }
  if (type === 'SOA') {
    const soa = data as Record<string, unknown>;
    return [soa.mname, soa.rname, soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum].join(' ');
  }
  if (type === 'TXT') return (data as Buffer[]).map((part) => JSON.stringify(part.toString())).join(' ');
  return String(data);
}
