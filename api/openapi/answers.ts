import { choice, count, type JsonSchema, text } from './schema.ts';

/** Headers of answers, by name. */
export const RESPONSE_HEADERS: Readonly<Record<string, { description: string; schema: JsonSchema }>> = {
  'X-Consul-Index': {
    description: 'The index of the answer, to wait from with `index`.',
    schema: { type: 'string', pattern: '^[0-9]+$' },
  },
  'X-Consul-KnownLeader': { description: 'Whether there is a leader.', schema: choice(['true', 'false']) },
  'X-Consul-LastContact': { description: 'Milliseconds since the server heard of its leader.', schema: count() },
  'X-Consul-Effective-Consistency': {
    description: 'The consistency of the answer.',
    schema: choice(['leader', 'consistent', 'stale']),
  },
  'X-Consul-Query-Backend': { description: 'Which engine answered.', schema: choice(['blocking-query']) },
  'X-Consul-ContentHash': { description: 'The hash of the answer, to wait from with `hash`.', schema: text() },
  'X-Consul-Reason': {
    description: 'The aggregated status.',
    schema: choice(['passing', 'warning', 'critical', 'maintenance']),
  },
  'X-Cache': { description: 'Whether the answer was there already (`cached`).', schema: choice(['HIT', 'MISS']) },
  Age: { description: 'Seconds since the answer was made.', schema: count() },
  'Cache-Control': { description: 'Streams are not to be stored.', schema: choice(['no-store']) },
  'X-Content-Type-Options': { description: 'A raw value is what its type says.', schema: choice(['nosniff']) },
  'Content-Security-Policy': { description: 'A browser is not to run a raw value.', schema: choice(['sandbox']) },
  'X-Lictor-Error': {
    description: 'The code of the error, as docs/errors.md lists it.',
    schema: text(),
  },
  'X-Consul-Default-Acl-Policy': {
    description: 'What holds where no rule decides.',
    schema: choice(['allow', 'deny']),
  },
  'X-Consul-Translate-Addresses': { description: '`translate_wan_addrs` is set.', schema: choice(['true']) },
  Vary: { description: 'Answers may be compressed.', schema: text() },
};

/** Every answer has them. */
export const COMMON_HEADERS = ['X-Consul-Default-Acl-Policy', 'Vary'];

/** Any answer may have them. */
export const POSSIBLE_HEADERS = ['X-Consul-Translate-Addresses'];

/** Statuses of failures: their name among the components, and what they mean wherever they appear. */
export const FAILURES: Readonly<Record<number, readonly [name: string, description: string]>> = {
  400: ['BadRequest', 'The request is wrong; the text names the parameter or field and what would be right.'],
  401: ['Disabled', 'What is asked for is switched off.'],
  403: ['Forbidden', 'The agent’s `http_config` does not let this client do this.'],
  404: ['NotFound', 'There is no such thing.'],
  405: ['OtherMethod', 'Another method; the header Allow tells which there are.'],
  409: ['Conflict', 'Something else came first, or stands in the way; the text tells what.'],
  410: ['Gone', 'The history that is asked for is not kept any more.'],
  413: ['TooLarge', 'The body is larger than its limit; the text tells the limit.'],
  429: ['TooMany', 'Too many requests wait, or too many connections of this client are open.'],
  500: [
    'Failed',
    'No server can answer now or is in reach, the request asks for another datacenter, or Consul answers this mistake with this status; the text tells which.',
  ],
  503: ['Unavailable', 'The agent is stopping, or a server is too busy; try again.'],
};
