import { type Answer, answerOf } from '../../answers/answer.ts';
import { CLASS_ANY, CLASS_IN } from '../../wire/record.ts';
import type { HandlerFactory } from '../handler.ts';
import type { Query } from '../query.ts';

/** Hands on what is outside the zones, and addresses that the catalog has no name for, when recursors are set. */
export const recursorsHandler: HandlerFactory = {
  name: 'recursors',
  create({ recursor }) {
    if (!recursor) return (query, next) => next(query);
    const handOn = async (query: Query): Promise<Answer> => {
      const message = await recursor.ask(query.packet, query.transport);
      // Other codes are no answer to the recursor's client; this one is for the metrics.
      const rcode = (message[3]! & 0x0f) === 3 ? 'NXDOMAIN' : 'NOERROR';
      return answerOf({ rcode, authoritative: false, message });
    };
    return async (query, next) => {
      const { class: asked } = query.question;
      const isInternet = asked === CLASS_IN || asked === CLASS_ANY;
      if (isInternet && query.zone !== undefined) return next(query);
      if (!isInternet || query.form?.kind !== 'reverse') return handOn(query);
      const answer = await next(query);
      return answer.rcode === 'NXDOMAIN' ? handOn(query) : answer;
    };
  },
};
