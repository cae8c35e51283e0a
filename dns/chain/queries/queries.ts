import { aggregateStatus } from '../../../api/shapes/catalog.ts';
import { answerOf } from '../../answers/answer.ts';
import { mostRecords } from '../../answers/fit.ts';
import { instanceAddress, serviceRecords } from '../../answers/service-answer.ts';
import { subnetAddress } from '../../wire/client-subnet.ts';
import { resolveAliases } from '../aliases.ts';
import type { HandlerFactory } from '../handler.ts';
import { negative } from '../negative.ts';
import { fitRequest } from '../query.ts';

/**
 * Prepared queries. What is near is near to the client's subnet, when a resolver says which that is (RFC 7871), else to
 * the one who asks.
 */
export const queriesHandler: HandlerFactory = {
  name: 'queries',
  create(env) {
    const { reader, settings, random } = env;
    return async (query, next) => {
      const { form, zone } = query;
      if (form?.kind !== 'query' || zone === undefined) return next(query);
      const subnet = query.edns?.clientSubnet;
      const found = await reader.query(form.query, (subnet && subnetAddress(subnet)) ?? query.client);
      if (!found || found.entries.length === 0) return negative(env, query, 'nameError');
      const live = found.entries.map((entry) => ({ entry, status: aggregateStatus(entry.Checks) }));
      const addresses = live.map(({ entry }) => instanceAddress(entry));
      const most = mostRecords(fitRequest(query), settings, query.depth > 0);
      const aliases = await resolveAliases(env, query, addresses);
      const answers = serviceRecords(
        { name: query.question.name, type: query.type },
        { service: found.service, ttlSeconds: found.ttlSeconds, inOrder: true },
        live,
        { zone, aliases, random, most },
        settings,
      );
      if (answers.length === 0) return negative(env, query, 'noData');
      return answerOf({ answers, ofSubnet: subnet !== undefined });
    };
  },
};
