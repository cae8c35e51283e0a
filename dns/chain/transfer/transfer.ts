import { answerOf } from '../../answers/answer.ts';
import type { HandlerFactory } from '../handler.ts';

/** Zone transfers (AXFR, IXFR) are not implemented, as in Consul. */
export const transferHandler: HandlerFactory = {
  name: 'transfer',
  create() {
    return (query, next) =>
      query.type === 'AXFR' || query.type === 'IXFR' ? Promise.resolve(answerOf({ rcode: 'NOTIMP' })) : next(query);
  },
};
