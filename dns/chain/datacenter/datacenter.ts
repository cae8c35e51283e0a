import type { HandlerFactory } from '../handler.ts';
import { negative } from '../negative.ts';

/** NXDOMAIN for datacenters that nobody here knows. An `.addr` name spells its own answer, so its datacenter is moot. */
export const datacenterHandler: HandlerFactory = {
  name: 'datacenter',
  create(env) {
    const own = env.settings.datacenter.toLowerCase();
    return (query, next) => {
      const { form } = query;
      const isKnown = form?.datacenter === undefined || form.kind === 'addr' || form.datacenter === own;
      return isKnown ? next(query) : negative(env, query, 'nameError');
    };
  },
};
