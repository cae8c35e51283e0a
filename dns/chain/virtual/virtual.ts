import { addressRecord } from '../../answers/address-records.ts';
import { answerOf, bare } from '../../answers/answer.ts';
import { serviceTtl } from '../../answers/settings.ts';
import type { HandlerFactory } from '../handler.ts';
import { negative } from '../negative.ts';

/**
 * `name.virtual`: the address by which the mesh knows a service, whatever type was asked for, as from Consul. A service
 * without one is NOERROR without records.
 */
export const virtualHandler: HandlerFactory = {
  name: 'virtual',
  create(env) {
    const { reader, settings } = env;
    return async (query, next) => {
      const { form } = query;
      if (form?.kind !== 'virtual') return next(query);
      const { found, address } = await reader.virtual(form.namespace, form.service);
      if (!found) return negative(env, query, 'nameError');
      const ttl = serviceTtl(form.service, settings.serviceTtlSeconds);
      const record = address === undefined ? undefined : addressRecord(query.question.name, ttl, address);
      return answerOf({ answers: record ? [bare(record)] : [] });
    };
  },
};
