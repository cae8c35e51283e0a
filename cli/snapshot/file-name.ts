import { parse } from 'node:path';
import { AppError } from '../../core/errors.ts';
import { nearest } from '../../core/nearest.ts';

/** What is read of /v1/agent/self. */
export interface AgentSelf {
  readonly Config: { readonly Version: string; readonly Datacenter: string; readonly NodeName: string };
  readonly Stats: { readonly consul?: { readonly leader?: string } };
}

const FACTS = {
  version: ({ Config }) => Config.Version,
  dc: ({ Config }) => Config.Datacenter,
  node: ({ Config }) => Config.NodeName,
  status: ({ Stats }) => (Stats.consul?.leader === 'true' ? 'leader' : 'follower'),
} as const satisfies Record<string, (self: AgentSelf) => string>;
export type Fact = keyof typeof FACTS;

/** `version,dc` as the facts that it names. @throws AppError `config` for another word. */
export function factsOf(given: string | undefined): Fact[] {
  if (given === undefined || given === '') return [];
  return given.split(',').map((text) => {
    const word = text.trim();
    if (Object.hasOwn(FACTS, word)) return word as Fact;
    const near = nearest(word, Object.keys(FACTS));
    const right = near ? `did you mean ${near}?` : `use ${Object.keys(FACTS).join(', ')}`;
    throw new AppError('config', `-append-filename: there is no ${JSON.stringify(word)}; ${right}`);
  });
}

/** `backup.snap` as `backup-1.21.4-dc1.snap`: the facts stand before the ending. */
export function withFacts(file: string, facts: readonly Fact[], self: AgentSelf): string {
  const { dir, name, ext } = parse(file);
  const words = facts.map((fact) => FACTS[fact](self).replace(/[^A-Za-z0-9._-]/g, '_'));
  return `${dir === '' || dir.endsWith('/') ? dir : `${dir}/`}${[name, ...words].join('-')}${ext}`;
}
