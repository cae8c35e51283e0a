import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import type { Answer } from '../answers/answer.ts';
import type { DnsReader } from '../answers/catalog-reader.ts';
import type { Sections } from '../answers/fit.ts';
import type { AnswerSettings } from '../answers/settings.ts';
import type { ForeignNames } from '../recursor/foreign-names.ts';
import type { Recursor } from '../recursor/recursor.ts';
import type { Query } from './query.ts';

/** Answers a query, or lets the handlers after it do so. A handler feels those after it and need not know those before. */
export type Handler = (query: Query, next: Next) => Promise<Answer>;
export type Next = (query: Query) => Promise<Answer>;

/** What handlers may use. */
export interface ChainEnv {
  readonly reader: DnsReader;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly random: Random;
  readonly settings: AnswerSettings;
  /** A lookup that takes longer is answered SERVFAIL. */
  readonly lookupTimeoutMs: number;
  /** Whether the response to `query` with these sections takes at most so many bytes. */
  fits(query: Query, sections: Sections, maxBytes: number): boolean;
  /** Servers that know what is outside the zones; undefined when none are set. */
  readonly recursor?: Recursor;
  /** The targets of answers that are outside the zones; undefined without recursors. */
  readonly foreignNames?: ForeignNames;
  /** Asks the lookups about another name of the zone (the target of a CNAME or SRV record). */
  resolve(query: Query): Promise<Answer>;
}

/** A handler and the name that it has in the order. */
export interface HandlerFactory {
  readonly name: string;
  readonly create: (env: ChainEnv) => Handler;
}
