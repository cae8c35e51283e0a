import type { Answer } from '../answers/answer.ts';
import type { ChainEnv, Handler, HandlerFactory, Next } from './handler.ts';
import { negative } from './negative.ts';
import { EDGE, LOOKUPS } from './order.ts';
import type { Query } from './query.ts';

/** Answers queries by the handlers of order.ts. The promise never rejects (the errors handler sees to it). */
export type Chain = (query: Query) => Promise<Answer>;

/** Puts the handlers together. */
export function createChain(deps: Omit<ChainEnv, 'resolve'>): Chain {
  const env: ChainEnv = { ...deps, resolve: (query) => lookups(query) };
  const lookups = link(LOOKUPS, env, (query) => negative(env, query, 'nameError'));
  return link(EDGE, env, lookups);
}

function link(factories: readonly HandlerFactory[], env: ChainEnv, last: Next): Next {
  const handlers = factories.map(({ create }) => create(env));
  return handlers.reduceRight<Next>((next: Next, handler: Handler) => (query) => handler(query, next), last);
}
