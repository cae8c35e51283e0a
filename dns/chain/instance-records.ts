import type { AnswerRecord } from '../answers/answer.ts';
import { mostRecords } from '../answers/fit.ts';
import { type AnswerForm, instanceAddress, type LiveInstance, serviceRecords } from '../answers/service-answer.ts';
import { resolveAliases } from './aliases.ts';
import type { ChainEnv } from './handler.ts';
import { fitRequest, type Query } from './query.ts';

/** The answer records of instances below a zone, with what is known of those that have names for addresses. */
export async function instanceRecords(
  env: ChainEnv,
  { query, zone }: { readonly query: Query; readonly zone: string },
  form: AnswerForm,
  live: readonly LiveInstance[],
): Promise<AnswerRecord[]> {
  const { settings, random } = env;
  const addresses = live.map(({ entry }) => instanceAddress(entry));
  const most = mostRecords(fitRequest(query), settings, query.depth > 0);
  const aliases = await resolveAliases(env, query, addresses);
  const question = { name: query.question.name, type: query.type };
  return serviceRecords(question, form, live, { zone, aliases, random, most }, settings);
}
