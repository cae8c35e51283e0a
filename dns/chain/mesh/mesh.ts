import { answerOf } from '../../answers/answer.ts';
import { mostRecords } from '../../answers/fit.ts';
import { instanceAddress, liveInstances, serviceRecords } from '../../answers/service-answer.ts';
import { resolveAliases } from '../aliases.ts';
import type { HandlerFactory } from '../handler.ts';
import { negative } from '../negative.ts';
import { fitRequest } from '../query.ts';

/** `name.connect` and `name.ingress`: healthy endpoints that speak for the service in the mesh, or from outside of it. */
export const meshHandler: HandlerFactory = {
  name: 'mesh',
  create(env) {
    const { reader, settings, random } = env;
    return async (query, next) => {
      const { form, zone } = query;
      if ((form?.kind !== 'connect' && form?.kind !== 'ingress') || zone === undefined) return next(query);
      const entries = await reader.mesh(form.kind, form.namespace, form.service);
      const live = liveInstances(entries, {}, settings);
      if (live.length === 0) return negative(env, query, 'nameError');
      const addresses = live.map(({ entry }) => instanceAddress(entry));
      const most = mostRecords(fitRequest(query), settings, query.depth > 0);
      const aliases = await resolveAliases(env, query, addresses);
      const question = { name: query.question.name, type: query.type };
      const context = { zone, aliases, random, most };
      const answers = serviceRecords(question, { service: form.service }, live, context, settings);
      return answers.length > 0 ? answerOf({ answers }) : negative(env, query, 'noData');
    };
  },
};
