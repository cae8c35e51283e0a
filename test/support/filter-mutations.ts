import type { Random } from '../../core/random.ts';

const SEEDS = [
  'Service.Tags contains hot and not Node.Node == f1',
  '(Checks.Status != "passing" or Service.Port == -0x10) and Node.Meta["odd key"] is not empty',
  '"10.6" in Node.Address or Service.Meta.version matches `^(1|2)+[a-z]{2,3}$`',
  'Node.Node matches "^(a*)*b" or Node.Node matches "((a|aa)+)+[^a]{2,9}$" and Service.Tags not in Node.Node',
  'Node.Node matches "(?i)(a{0,9}){9}(\\\\pL|[[:^alpha:]])*?(x+x+)+y" or Checks.ServiceTags is empty',
  'Service.EnableTagOverride == true and x not in Service.Tags or Node.Node not matches "\\x66\\u0032."',
];
const PIECES = [
  ...['and', 'or', 'not', 'in', 'is', 'empty', 'contains', 'matches', 'Node', 'Service', '.Meta', '.Tags', 'Checks'],
  ...[
    '(',
    ')',
    '[',
    ']',
    '"',
    '`',
    '\\',
    '==',
    '!=',
    '.',
    ' ',
    '*',
    '{9}',
    '{0,400}',
    '+)+',
    '(?:',
    '\\\\Q',
    '\\\\p{Greek}',
    '[^',
    '0',
    '-1',
    '1e9',
    '\0',
    '\u{1f600}',
    '__proto__',
  ],
];

/** A filter expression for health entries with some places of it changed: often still a good one. */
export function mutatedFilter(random: Pick<Random, 'next'>): string {
  const below = (limit: number) => Math.floor(random.next() * limit);
  let expression = SEEDS[below(SEEDS.length)]!;
  for (let left = below(4); left >= 0; left -= 1) {
    const at = below(expression.length + 1);
    const rest = expression.slice(at + (random.next() < 0.5 ? below(6) : 0));
    expression = expression.slice(0, at) + (random.next() < 0.7 ? PIECES[below(PIECES.length)] : '') + rest;
  }
  return expression;
}
