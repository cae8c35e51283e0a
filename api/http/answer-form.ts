import type { IncomingMessage } from 'node:http';
import type { HttpPolicy } from './http-policy.ts';
import type { AnswerForm } from './respond.ts';

/** The form in which a request wants its answer. */
export function answerForm(
  raw: IncomingMessage,
  close: boolean,
  { pretty, headers: extra }: Pick<HttpPolicy, 'pretty' | 'headers'>,
): AnswerForm {
  const encodings = raw.headers['accept-encoding'];
  return {
    pretty: pretty || wantsPretty(raw.url ?? ''),
    gzip: acceptsGzip(encodings && String(encodings)),
    head: raw.method === 'HEAD',
    close,
    extra,
  };
}

/** Whether a URL asks for an answer in lines. */
export function wantsPretty(url: string): boolean {
  return url.includes('pretty') && new URLSearchParams(url.slice(url.indexOf('?') + 1)).has('pretty');
}

/** Whether an Accept-Encoding header takes gzip. */
export function acceptsGzip(encodings: string | undefined): boolean {
  return encodings !== undefined && /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(encodings);
}
