import type { AddressOwner } from '../../../api/routes/dns-lookup-routes.ts';
import { DEFAULT_NAMESPACE } from '../../../api/shapes/catalog.ts';
import { answerOf, bare } from '../../answers/answer.ts';
import { nodeDnsName } from '../../answers/names.ts';
import type { AnswerSettings } from '../../answers/settings.ts';
import { nameFromText, nameLength } from '../../wire/name.ts';
import type { HandlerFactory } from '../handler.ts';
import { negative } from '../negative.ts';

/** The name of an address: of the node that has it, else of the service. One name, not to be kept (TTL 0). */
export const reverseHandler: HandlerFactory = {
  name: 'reverse',
  create(env) {
    const { reader, settings } = env;
    return async (query, next) => {
      const { form } = query;
      if (form?.kind !== 'reverse') return next(query);
      const owner = await reader.reverse(form.address);
      const target = owner && nameOf(owner, settings);
      if (target === undefined) return negative(env, query, 'nameError');
      if (query.type !== 'PTR' && query.type !== 'ANY') return negative(env, query, 'noData');
      return answerOf({ answers: [bare({ type: 'PTR', name: query.question.name, ttl: 0, target })] });
    };
  },
};

function nameOf({ node, service }: AddressOwner, settings: AnswerSettings): string | undefined {
  const { domain, datacenter } = settings;
  if (node) return nodeDnsName(node, domain, datacenter);
  if (!service) return undefined;
  const namespace = service.namespace === DEFAULT_NAMESPACE ? '' : `.${service.namespace}.ns`;
  const place = namespace === '' ? datacenter : `${datacenter}.dc`;
  const name = `${nameFromText(service.name)}.service${namespace}.${nameFromText(place)}.${domain}`;
  return nameLength(name) === undefined ? undefined : name;
}
