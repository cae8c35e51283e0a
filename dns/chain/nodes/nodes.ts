import { nodeAnswer } from '../../answers/node-answer.ts';
import { resolveAliases } from '../aliases.ts';
import type { HandlerFactory } from '../handler.ts';
import { negative } from '../negative.ts';

/** Node lookups. A node answers whatever its health is. */
export const nodesHandler: HandlerFactory = {
  name: 'nodes',
  create(env) {
    const { reader, settings } = env;
    return async (query, next) => {
      const { form } = query;
      if (form?.kind !== 'node') return next(query);
      const node = await reader.node(form.node);
      if (!node) return negative(env, query, 'nameError');
      const aliases = await resolveAliases(env, query, [node.Address]);
      return nodeAnswer({ name: query.question.name, type: query.type }, node, aliases, settings);
    };
  },
};
