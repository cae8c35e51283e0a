import type { ResponseCode } from '../wire/encode-response.ts';
import type { ResourceRecord } from '../wire/record.ts';

/** A record of the answer section with the additional records that are of use only beside it (an SRV target's address). */
export interface AnswerRecord {
  readonly record: ResourceRecord;
  /** Needed to use the record; they leave the message together with it. */
  readonly glue: readonly ResourceRecord[];
  /** Nice to have (a node's metadata); the first to go when space is short. */
  readonly extras: readonly ResourceRecord[];
}

/** What a question is answered with, before it is cut to size. */
export interface Answer {
  readonly rcode: ResponseCode;
  readonly authoritative: boolean;
  readonly answers: readonly AnswerRecord[];
  readonly authority: readonly ResourceRecord[];
  readonly additional: readonly ResourceRecord[];
  readonly truncated: boolean;
  /** It depends on the client's subnet (RFC 7871 section 7.2.1): resolvers may keep it for that subnet alone. */
  readonly ofSubnet?: boolean;
  /** The whole message of another server, which stands for all of the above and is handed on as it is. */
  readonly message?: Uint8Array;
}

const NOTHING: readonly never[] = [];

/** An authoritative NOERROR answer; sections not given are empty. */
export function answerOf(parts: Partial<Answer>): Answer {
  return {
    rcode: 'NOERROR',
    authoritative: true,
    answers: NOTHING,
    authority: NOTHING,
    additional: NOTHING,
    truncated: false,
    ...parts,
  };
}

/** An answer record that needs nothing beside it. */
export function bare(record: ResourceRecord): AnswerRecord {
  return { record, glue: NOTHING, extras: NOTHING };
}

/** An answer that holds a code and nothing else. SERVFAIL and REFUSED come from outside the zone's data: no AA bit. */
export function errorAnswer(rcode: ResponseCode): Answer {
  return answerOf({ rcode, authoritative: false });
}
