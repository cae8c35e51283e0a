import { nameServerAnswer, soaAnswer, soaRecord } from '../../answers/zone-answer.ts';
import type { HandlerFactory } from '../handler.ts';

/**
 * Answers SOA and NS for any name in the zone, whether it exists or not, as Consul does. A question about the
 * alternative domain gets the SOA record of the main one, of which it is a second name.
 */
export const zoneHandler: HandlerFactory = {
  name: 'zone',
  create({ reader, random, clock, settings }) {
    return async (query, next) => {
      const { zone, type } = query;
      if (zone === undefined || (type !== 'SOA' && type !== 'NS')) return next(query);
      const servers = await reader.servers();
      if (type === 'NS') return nameServerAnswer(zone, servers, random, settings);
      return soaAnswer(soaRecord(settings.domain, clock.now(), settings), zone, servers, random, settings);
    };
  },
};
