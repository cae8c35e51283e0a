import { answerOf } from '../../answers/answer.ts';
import { liveInstances } from '../../answers/service-answer.ts';
import type { HandlerFactory } from '../handler.ts';
import { instanceRecords } from '../instance-records.ts';
import { negative } from '../negative.ts';

/** `name.connect` and `name.ingress`: healthy endpoints that speak for the service in the mesh, or from outside of it. */
export const meshHandler: HandlerFactory = {
  name: 'mesh',
  create(env) {
    const { reader, settings } = env;
    return async (query, next) => {
      const { form, zone } = query;
      if ((form?.kind !== 'connect' && form?.kind !== 'ingress') || zone === undefined) return next(query);
      const entries = await reader.mesh(form.kind, form.namespace, form.service);
      const live = liveInstances(entries, {}, settings);
      if (live.length === 0) return negative(env, query, 'nameError');
      const answers = await instanceRecords(env, { query, zone }, { service: form.service }, live);
      return answers.length > 0 ? answerOf({ answers }) : negative(env, query, 'noData');
    };
  },
};
