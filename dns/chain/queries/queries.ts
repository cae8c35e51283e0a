import { aggregateStatus } from '../../../api/shapes/catalog.ts';
import { answerOf } from '../../answers/answer.ts';
import { subnetAddress } from '../../wire/client-subnet.ts';
import type { HandlerFactory } from '../handler.ts';
import { instanceRecords } from '../instance-records.ts';
import { negative } from '../negative.ts';

/**
 * Prepared queries. What is near is near to the client's subnet, when a resolver says which that is (RFC 7871), else to
 * the one who asks.
 */
export const queriesHandler: HandlerFactory = {
  name: 'queries',
  create(env) {
    const { reader } = env;
    return async (query, next) => {
      const { form: asked, zone } = query;
      if (asked?.kind !== 'query' || zone === undefined) return next(query);
      const subnet = query.edns?.clientSubnet;
      const found = await reader.query(asked.query, (subnet && subnetAddress(subnet)) ?? query.client);
      if (!found || found.entries.length === 0) return negative(env, query, 'nameError');
      const live = found.entries.map((entry) => ({ entry, status: aggregateStatus(entry.Checks) }));
      const form = { service: found.service, ttlSeconds: found.ttlSeconds, inOrder: true };
      const answers = await instanceRecords(env, { query, zone }, form, live);
      if (answers.length === 0) return negative(env, query, 'noData');
      return answerOf({ answers, ofSubnet: subnet !== undefined });
    };
  },
};
