import { answerOf } from '../../answers/answer.ts';
import { mostRecords } from '../../answers/fit.ts';
import { instanceAddress, liveInstances, serviceRecords } from '../../answers/service-answer.ts';
import { resolveAliases } from '../aliases.ts';
import type { HandlerFactory } from '../handler.ts';
import { negative } from '../negative.ts';
import { fitRequest } from '../query.ts';

/**
 * Service lookups, standard and RFC 2782. No service, or none of its instances left after the filters: NXDOMAIN.
 * Instances, but no record of the type: NODATA.
 */
export const servicesHandler: HandlerFactory = {
  name: 'services',
  create(env) {
    const { reader, settings, random } = env;
    return async (query, next) => {
      const { form, zone } = query;
      if (form?.kind !== 'service' || zone === undefined) return next(query);
      const lookup = await reader.service(form.namespace, form.service);
      const live = lookup.found ? liveInstances(lookup.entries, form, settings) : [];
      if (live.length === 0) return negative(env, query, 'nameError');
      const most = mostRecords(fitRequest(query), settings, query.depth > 0);
      const aliases = await resolveAliases(
        env,
        query,
        live.map(({ entry }) => instanceAddress(entry)),
      );
      const question = { name: query.question.name, type: query.type };
      const answers = serviceRecords(question, form, live, { zone, aliases, random, most }, settings);
      return answers.length > 0 ? answerOf({ answers }) : negative(env, query, 'noData');
    };
  },
};
