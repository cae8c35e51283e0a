import { addressFromHex } from '../wire/ip-address.ts';
import { wantsAddress } from './address-records.ts';
import { type Answer, answerOf, bare } from './answer.ts';
import type { AnswerSettings } from './settings.ts';

/**
 * Answers `hexip.addr` with the address that the label spells; a question of another type gets it in the additional
 * section. Undefined when the label spells none.
 */
export function addrAnswer(
  question: { readonly name: string; readonly type: string },
  hex: string,
  settings: Pick<AnswerSettings, 'nodeTtlSeconds'>,
): Answer | undefined {
  const found = addressFromHex(hex);
  if (!found) return undefined;
  const record = { ...found, name: question.name, ttl: settings.nodeTtlSeconds };
  return wantsAddress(question.type, found.type)
    ? answerOf({ answers: [bare(record)] })
    : answerOf({ additional: [record] });
}
