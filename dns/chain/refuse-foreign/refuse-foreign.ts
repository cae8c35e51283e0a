import { errorAnswer } from '../../answers/answer.ts';
import { CLASS_ANY, CLASS_IN } from '../../wire/record.ts';
import type { HandlerFactory } from '../handler.ts';

/** Refuses names outside the zones (reverse lookups are ours to try), and classes other than IN: without recursors nobody here knows them. */
export const refuseForeignHandler: HandlerFactory = {
  name: 'refuse-foreign',
  create() {
    return (query, next) => {
      const { class: asked } = query.question;
      const isOurs =
        (query.zone !== undefined || query.form?.kind === 'reverse') && (asked === CLASS_IN || asked === CLASS_ANY);
      return isOurs ? next(query) : Promise.resolve(errorAnswer('REFUSED'));
    };
  },
};
