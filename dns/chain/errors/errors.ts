import { AppError, errorRow, errorText, type Rcode } from '../../../core/errors.ts';
import { errorAnswer } from '../../answers/answer.ts';
import type { HandlerFactory } from '../handler.ts';

/** A server in trouble fails each question alike; a line for each would only fill the log. */
const LOG_EVERY_MS = 10_000;

/**
 * Turns what a lookup threw into a response code by the table of errors. The codes that speak about the question
 * (NXDOMAIN, FORMERR) become SERVFAIL: an error is never read as absence.
 */
export const errorsHandler: HandlerFactory = {
  name: 'errors',
  create({ metrics, log, clock }) {
    const errors = metrics.counter({
      name: 'lictor_dns_lookup_errors_total',
      help: 'DNS lookups that failed, by code of the error table.',
      labels: ['code'],
    });
    let silentUntil = Number.NEGATIVE_INFINITY;
    return async (query, next) => {
      try {
        return await next(query);
      } catch (error) {
        errors.add(1, { code: error instanceof AppError ? error.code : 'internal' });
        if (clock.monotonic() >= silentUntil) {
          silentUntil = clock.monotonic() + LOG_EVERY_MS;
          log.warn('a DNS lookup failed', {
            question: query.question.name,
            type: query.type,
            err: error,
            text: errorText(error),
          });
        }
        return errorAnswer(rcodeOf(error));
      }
    };
  },
};

function rcodeOf(error: unknown): Rcode {
  const { rcode } = errorRow(error);
  return rcode === 'REFUSED' ? rcode : 'SERVFAIL';
}
