import type { FitRequest } from '../answers/fit.ts';
import { type NameForm, parseNameForm } from '../answers/name-form.ts';
import { parseReverseName } from '../answers/reverse-name.ts';
import type { AnswerSettings } from '../answers/settings.ts';
import type { DecodedQuery, EdnsRequest } from '../wire/decode-query.ts';
import { nameFromText } from '../wire/name.ts';
import { type Question, recordTypeName } from '../wire/record.ts';

export type Transport = 'udp' | 'tcp';

/** A question on its way through the chain. */
export interface Query {
  /** As asked; `question.name` is the owner name of the answers. */
  readonly question: Question;
  /** The name of the question's type. */
  readonly type: string;
  readonly transport: Transport;
  /** The client's address. */
  readonly client: string;
  /** The message as it came. */
  readonly packet: Uint8Array;
  readonly edns?: EdnsRequest;
  /** The zone that the name is in, as configured; undefined for a foreign name. */
  readonly zone?: string;
  /** What the name asks for; undefined when it has no known form. */
  readonly form?: NameForm;
  /** How many names inside the zone led here. */
  readonly depth: number;
  /** How many more names inside the zone may be looked up for the question that came in; shared and counted down. */
  readonly budget: { left: number };
}

/** One answer may look up so many targets inside the zone: enough for any sane service, a lid for a hostile one. */
const LOOKUP_BUDGET = 32;

/** The query that a client sent. */
export function clientQuery(
  decoded: DecodedQuery,
  from: { readonly transport: Transport; readonly client: string; readonly packet: Uint8Array },
  settings: AnswerSettings,
): Query {
  return {
    question: decoded.question,
    type: recordTypeName(decoded.question.type),
    ...from,
    edns: decoded.edns,
    ...locate(decoded.labels, settings),
    depth: 0,
    budget: { left: LOOKUP_BUDGET },
  };
}

/** A question about `name`, the target of a record that answers `query`. */
export function targetQuery(query: Query, name: string, type: string, settings: AnswerSettings): Query {
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  return {
    ...query,
    question: { ...query.question, name: nameFromText(bare) },
    type,
    ...locate(bare.split('.'), settings),
    depth: query.depth + 1,
  };
}

/** What the transport of the question allows. */
export function fitRequest(query: Query): FitRequest {
  return { transport: query.transport, type: query.type, ednsUdpSize: query.edns?.udpSize };
}

function locate(labels: readonly string[], settings: AnswerSettings): { zone?: string; form?: NameForm } {
  for (const zone of [settings.domain, settings.altDomain]) {
    if (zone === undefined) continue;
    const zoneLabels = zone.split('.');
    const below = labels.length - zoneLabels.length;
    if (below < 0 || !zoneLabels.every((label, i) => label.toLowerCase() === labels[below + i]!.toLowerCase()))
      continue;
    return { zone, form: parseNameForm(labels.slice(0, below)) };
  }
  return { zone: undefined, form: parseReverseName(labels) };
}
