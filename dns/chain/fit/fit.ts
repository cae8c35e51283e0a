import { fitAnswer } from '../../answers/fit.ts';
import type { HandlerFactory } from '../handler.ts';
import { fitRequest } from '../query.ts';

/** Cuts the answer to what the transport and the limits allow, and sets TC. */
export const fitHandler: HandlerFactory = {
  name: 'fit',
  create({ fits, settings }) {
    return async (query, next) => {
      const answer = await next(query);
      if (answer.message) return answer;
      return fitAnswer(answer, fitRequest(query), (sections, maxBytes) => fits(query, sections, maxBytes), settings);
    };
  },
};
