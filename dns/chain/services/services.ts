import { answerOf } from '../../answers/answer.ts';
import { liveInstances } from '../../answers/service-answer.ts';
import type { HandlerFactory } from '../handler.ts';
import { instanceRecords } from '../instance-records.ts';
import { negative } from '../negative.ts';

/**
 * Service lookups, standard and RFC 2782. No service, or none of its instances left after the filters: NXDOMAIN.
 * Instances, but no record of the type: NODATA.
 */
export const servicesHandler: HandlerFactory = {
  name: 'services',
  create(env) {
    const { reader, settings } = env;
    return async (query, next) => {
      const { form, zone } = query;
      if (form?.kind !== 'service' || zone === undefined) return next(query);
      const lookup = await reader.service(form.namespace, form.service);
      const live = lookup.found ? liveInstances(lookup.entries, form, settings) : [];
      if (live.length === 0) return negative(env, query, 'nameError');
      const answers = await instanceRecords(env, { query, zone }, form, live);
      return answers.length > 0 ? answerOf({ answers }) : negative(env, query, 'noData');
    };
  },
};
