import { addrAnswer } from '../../answers/addr-answer.ts';
import type { HandlerFactory } from '../handler.ts';
import { negative } from '../negative.ts';

/** `hexip.addr`: the targets of SRV records whose instance has an address of its own. Needs no catalog. */
export const addrHandler: HandlerFactory = {
  name: 'addr',
  create(env) {
    return async (query, next) => {
      const { form } = query;
      if (form?.kind !== 'addr') return next(query);
      const question = { name: query.question.name, type: query.type };
      return addrAnswer(question, form.hex, env.settings) ?? negative(env, query, 'nameError');
    };
  },
};
