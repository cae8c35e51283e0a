import type { Node } from '../../api/shapes/catalog.ts';
import { type Aliases, addressAnswers } from './address-records.ts';
import { type Answer, answerOf, bare } from './answer.ts';
import { metaRecords } from './meta-text.ts';
import type { AnswerSettings } from './settings.ts';

/**
 * Answers for a node that exists. Its address answers A, AAAA and ANY, its metadata TXT and ANY. Every other type is
 * NOERROR without records and, as from Consul, without SOA.
 */
export function nodeAnswer(
  question: { readonly name: string; readonly type: string },
  node: Node,
  aliases: Aliases,
  settings: AnswerSettings,
): Answer {
  const { name, type } = question;
  const ttl = settings.nodeTtlSeconds;
  const wantsAddresses = type === 'A' || type === 'AAAA' || type === 'ANY';
  const answers = wantsAddresses ? addressAnswers({ name, ttl, type }, [node.Address], aliases) : [];
  const meta = wantsAddresses || type === 'TXT' ? metaRecords(name, ttl, node.Meta) : [];
  if (type === 'TXT' || type === 'ANY') return answerOf({ answers: [...answers, ...meta.map(bare)] });
  return answerOf({ answers, additional: settings.nodeMetaTxt ? meta : [] });
}
