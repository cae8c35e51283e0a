import type { Answer } from '../answers/answer.ts';
import { ForeignNames } from '../recursor/foreign-names.ts';
import type { ChainEnv, Handler, HandlerFactory, Next } from './handler.ts';
import { negative } from './negative.ts';
import { EDGE, LOOKUPS } from './order.ts';
import type { Query } from './query.ts';

/** So long an answer waits for the addresses of its targets outside: clients ask again after 2 to 5 s. */
const MAX_FOREIGN_MS = 1_000;

/** Answers queries by the handlers of order.ts. The promise never rejects (the errors handler sees to it). */
export type Chain = (query: Query) => Promise<Answer>;

/** Puts the handlers together. */
export function createChain(deps: Omit<ChainEnv, 'resolve' | 'foreignNames'>): Chain {
  const { recursor, lookupTimeoutMs } = deps;
  const budgetMs = Math.min(MAX_FOREIGN_MS, lookupTimeoutMs / 2);
  const foreignNames = recursor && new ForeignNames({ ...deps, recursor }, { budgetMs });
  const env: ChainEnv = { ...deps, foreignNames, resolve: (query) => lookups(query) };
  const lookups = link(LOOKUPS, env, (query) => negative(env, query, 'nameError'));
  return link(EDGE, env, lookups);
}

function link(factories: readonly HandlerFactory[], env: ChainEnv, last: Next): Next {
  const handlers = factories.map(({ create }) => create(env));
  return handlers.reduceRight<Next>((next: Next, handler: Handler) => (query) => handler(query, next), last);
}
