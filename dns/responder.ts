import type { Answer } from './answers/answer.ts';
import { answerOf, errorAnswer } from './answers/answer.ts';
import { type Sections, sectionsOf } from './answers/fit.ts';
import type { AnswerSettings } from './answers/settings.ts';
import { type Chain, createChain } from './chain/chain.ts';
import type { ChainEnv } from './chain/handler.ts';
import { clientQuery, type Query, type Transport } from './chain/query.ts';
import { withScope } from './wire/client-subnet.ts';
import { type DecodedQuery, decodeQuery, type Header, OPCODE_QUERY, readHeader } from './wire/decode-query.ts';
import { type DnsResponse, encodeResponse, uncompressedLength } from './wire/encode-response.ts';

/** Answers one message of the client with this address; undefined when it is to be dropped. The promise never rejects. */
export interface Responder {
  respond(packet: Uint8Array, transport: Transport, client?: string): Promise<Uint8Array | undefined>;
}

type ResponderDeps = Pick<ChainEnv, 'reader' | 'clock' | 'log' | 'metrics' | 'random' | 'recursor'>;

/** From bytes to bytes: decode, ask the chain, encode. */
export function createResponder(
  deps: ResponderDeps,
  options: { settings: AnswerSettings; lookupTimeoutMs: number },
): Responder {
  const { settings } = options;
  const chain = createChain({
    ...deps,
    ...options,
    fits: (query, sections, maxBytes) => fits(query, sections, maxBytes, settings.compress),
  });
  return new MessageResponder(deps, chain, settings);
}

class MessageResponder implements Responder {
  readonly #chain: Chain;
  readonly #settings: AnswerSettings;
  readonly #log: ResponderDeps['log'];
  readonly #recursion: boolean;
  readonly #unanswerable: (reason: string) => void;

  constructor(deps: ResponderDeps, chain: Chain, settings: AnswerSettings) {
    this.#chain = chain;
    this.#settings = settings;
    this.#log = deps.log;
    this.#recursion = deps.recursor !== undefined;
    const counter = deps.metrics.counter({
      name: 'lictor_dns_bad_messages_total',
      help: 'DNS messages that are no well-formed standard query, by what was wrong.',
      labels: ['reason'],
    });
    this.#unanswerable = (reason) => counter.add(1, { reason });
  }

  // A cache of ready answers, keyed by the question's bytes and dropped by service version, belongs here, in front of
  // everything else.
  async respond(packet: Uint8Array, transport: Transport, client = ''): Promise<Uint8Array | undefined> {
    const header = readHeader(packet);
    if (!header || header.response) {
      this.#unanswerable(header ? 'response' : 'short');
      return undefined;
    }
    if (header.opcode !== OPCODE_QUERY) {
      this.#unanswerable('opcode');
      return this.#encode(header, undefined, errorAnswer('NOTIMP'));
    }
    const decoded = this.#decode(packet);
    if (!decoded) return this.#encode(header, undefined, errorAnswer('FORMERR'));
    const answer = await this.#chain(clientQuery(decoded, { transport, client, packet }, this.#settings));
    if (answer.message) return answer.message;
    return this.#encode(header, decoded, answer);
  }

  #decode(packet: Uint8Array): DecodedQuery | undefined {
    try {
      return decodeQuery(packet);
    } catch (error) {
      this.#unanswerable('malformed');
      this.#log.debug('a malformed DNS query', { err: error });
      return undefined;
    }
  }

  #encode(header: Header, decoded: DecodedQuery | undefined, answer: Answer): Uint8Array {
    const { compress } = this.#settings;
    try {
      return encodeResponse(responseOf(header, decoded, answer, sectionsOf(answer), this.#recursion), { compress });
    } catch (error) {
      this.#log.error('a DNS answer could not be encoded', { question: decoded?.question.name, err: error });
      const failure = answerOf({ rcode: 'SERVFAIL', authoritative: false });
      return encodeResponse(responseOf(header, decoded, failure, sectionsOf(failure), this.#recursion), { compress });
    }
  }
}

function responseOf(
  header: Header,
  decoded: DecodedQuery | undefined,
  answer: Answer,
  sections: Sections,
  recursion: boolean,
): DnsResponse {
  const subnet = decoded?.edns?.clientSubnet;
  return {
    id: header.id,
    opcode: header.opcode,
    rcode: answer.rcode,
    authoritative: answer.authoritative,
    truncated: answer.truncated,
    recursionDesired: header.recursionDesired,
    recursionAvailable: recursion,
    checkingDisabled: header.checkingDisabled,
    question: decoded?.question,
    ...sections,
    edns: decoded?.edns && {
      udpSize: decoded.edns.udpSize,
      clientSubnet: subnet && answer.ofSubnet ? withScope(subnet) : subnet,
    },
  };
}

function fits(query: Query, sections: Sections, maxBytes: number, compress: boolean): boolean {
  const response: DnsResponse = {
    id: 0,
    opcode: OPCODE_QUERY,
    rcode: 'NOERROR',
    authoritative: true,
    truncated: false,
    recursionDesired: false,
    recursionAvailable: false,
    checkingDisabled: false,
    question: query.question,
    ...sections,
    edns: query.edns && { udpSize: query.edns.udpSize, clientSubnet: query.edns.clientSubnet },
  };
  // The bound is cheap and nearly always enough; what the message really takes is asked only past it.
  if (uncompressedLength(response) <= maxBytes) return true;
  return compress && encodeResponse(response, { compress }).length <= maxBytes;
}
