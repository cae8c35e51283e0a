import { errorAnswer } from '../../answers/answer.ts';
import type { HandlerFactory } from '../handler.ts';

/** Answers BADVERS to EDNS versions other than 0 (RFC 6891 section 6.1.3). */
export const ednsVersionHandler: HandlerFactory = {
  name: 'edns-version',
  create() {
    return (query, next) => ((query.edns?.version ?? 0) === 0 ? next(query) : Promise.resolve(errorAnswer('BADVERS')));
  },
};
