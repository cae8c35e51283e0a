import type { ResourceRecord } from '../wire/record.ts';
import type { Answer, AnswerRecord } from './answer.ts';
import type { AnswerSettings } from './settings.ts';

/** The size without EDNS (RFC 1035 section 4.2.1). */
export const PLAIN_UDP_BYTES = 512;
/** The largest payload of a UDP datagram over IPv4 is 65,507 bytes; Consul stays 40 below, and so do we. */
const MAX_UDP_BYTES = 65_467;
/** Consul's limit: the largest TCP message less a header. */
const MAX_TCP_BYTES = 65_523;
/** More answers than these are never sent, whatever fits (Consul's limits). */
const MAX_TCP_ANSWERS = 4096;
const MAX_TCP_SRV_ANSWERS = 1024;
const MAX_UDP_ANSWER_LIMIT = 8;
/** No record is smaller (RFC 1035 section 4.1.3, its name compressed): more than fit so are not even tried. */
const MIN_RECORD_BYTES = 12;

/** What the transport of a question allows. */
export interface FitRequest {
  readonly transport: 'udp' | 'tcp';
  /** The name of the question's type. */
  readonly type: string;
  /** As advertised by EDNS; undefined without. */
  readonly ednsUdpSize?: number;
}

/** The sections of an answer as they will be written. */
export interface Sections {
  readonly answers: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  readonly additional: readonly ResourceRecord[];
}

/** Whether a message with these sections, the question and its OPT record takes at most `maxBytes`. */
export type Fits = (sections: Sections, maxBytes: number) => boolean;

/**
 * Cuts an answer to what its transport allows. First the number of answers is limited; then, for size, the authority
 * section goes, then metadata, then as many answers (each with its glue) as have to. TC is set by `truncateBit`, and
 * never over TCP, where there is nothing to retry with.
 */
export function fitAnswer(answer: Answer, request: FitRequest, fits: Fits, settings: AnswerSettings): Answer {
  const limited = limitAnswers(answer, request, settings);
  const most = writableRecords(request);
  const writable = limited.answers.length > most ? { ...limited, answers: limited.answers.slice(0, most) } : limited;
  const cutByLimit = limited.answers.length < withARecordLimit(answer, request, settings).length;
  const fitted = fitSize(writable, (candidate) => fits(sectionsOf(candidate), maxBytes(request)));
  const cutBySize = fitted.answers.length < limited.answers.length;
  const bit = settings.truncateBit;
  const mayRetry = request.transport === 'udp';
  const truncated = mayRetry && ((cutBySize && bit !== 'off') || (cutByLimit && bit === 'any'));
  return truncated ? { ...fitted, truncated } : fitted;
}

/**
 * More records than these need not be made for an answer: what is cut is cut as from all of them. `isTarget`: they come after
 * others, to which the limits apply.
 */
export function mostRecords(request: FitRequest, settings: AnswerSettings, isTarget: boolean): number {
  const writable = writableRecords(request);
  return 1 + (isTarget ? writable : Math.min(writable, answerLimit(request, settings)));
}

/** More records than these cannot fit. */
function writableRecords(request: FitRequest): number {
  return Math.ceil(maxBytes(request) / MIN_RECORD_BYTES);
}

/** The sections of an answer, the records' own additional ones put last. */
export function sectionsOf(answer: Answer): Sections {
  const additional: ResourceRecord[] = [];
  for (const { glue } of answer.answers) additional.push(...glue);
  for (const { extras } of answer.answers) additional.push(...extras);
  additional.push(...answer.additional);
  return { answers: answer.answers.map(({ record }) => record), authority: answer.authority, additional };
}

function maxBytes(request: FitRequest): number {
  if (request.transport === 'tcp') return MAX_TCP_BYTES;
  return Math.min(Math.max(request.ednsUdpSize ?? 0, PLAIN_UDP_BYTES), MAX_UDP_BYTES);
}

function withARecordLimit(answer: Answer, request: FitRequest, settings: AnswerSettings): readonly AnswerRecord[] {
  const limit = settings.aRecordLimit;
  const applies = request.type === 'A' || request.type === 'AAAA' || request.type === 'ANY';
  return applies && limit > 0 && answer.answers.length > limit ? answer.answers.slice(0, limit) : answer.answers;
}

function limitAnswers(answer: Answer, request: FitRequest, settings: AnswerSettings): Answer {
  const answers = withARecordLimit(answer, request, settings);
  const limit = answerLimit(request, settings);
  if (answers.length <= limit) return answers === answer.answers ? answer : { ...answer, answers };
  return { ...answer, answers: answers.slice(0, limit) };
}

function answerLimit(request: FitRequest, settings: AnswerSettings): number {
  if (request.transport === 'tcp') return request.type === 'SRV' ? MAX_TCP_SRV_ANSWERS : MAX_TCP_ANSWERS;
  if ((request.ednsUdpSize ?? 0) > PLAIN_UDP_BYTES) return Number.POSITIVE_INFINITY;
  return Math.min(Math.max(1, settings.udpAnswerLimit), MAX_UDP_ANSWER_LIMIT);
}

function fitSize(answer: Answer, fits: (candidate: Answer) => boolean): Answer {
  if (fits(answer)) return answer;
  // Negative answers live by their SOA record, and it always fits.
  if (answer.answers.length === 0) return { ...answer, additional: [] };
  const lean = { ...answer, authority: [] };
  if (fits(lean)) return lean;
  const answers = answer.answers.map(({ record, glue }) => ({ record, glue, extras: [] }));
  const leaner = { ...lean, additional: [], answers };
  if (fits(leaner)) return leaner;
  let low = 0; // so many answers fit
  let high = answers.length; // so many do not
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (fits({ ...leaner, answers: answers.slice(0, middle) })) low = middle;
    else high = middle;
  }
  if (low > 0) return { ...leaner, answers: answers.slice(0, low) };
  const single = { ...leaner, answers: [{ record: answers[0]!.record, glue: [], extras: [] }] };
  return fits(single) ? single : { ...leaner, answers: [] };
}
