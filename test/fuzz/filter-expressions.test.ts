import { compileFilter } from '../../api/filter/compile.ts';
import { FilterError } from '../../api/filter/lexer.ts';
import { HEALTH_ROW } from '../../api/filter/rows.ts';
import { SeededRandom } from '../../core/random.ts';

/** Mutated expressions; `make fuzz` asks for many more. */
const RUNS = Math.min(Number(process.env.FUZZ_RUNS ?? 5000), 100_000);
const SEED = Number(process.env.FUZZ_SEED ?? 20_260_101);
/** No expression takes longer over all rows, ten times what the slowest pattern that is taken needs. */
const LONGEST_MS = 3000;

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
const ROWS = [
  {
    Node: { Node: 'f1', Address: '10.6.0.1', Meta: { 'odd key': 'q' } },
    Service: { Tags: ['hot'], Port: 1, Meta: { version: '12' }, EnableTagOverride: true },
    Checks: [{ Status: 'warning' }],
  },
  { Node: { Node: 'a'.repeat(2000) } },
  { Node: { Meta: null }, Service: { Tags: null }, Checks: [] },
  {},
];

describe('mutated filter expressions', () => {
  it('are compiled or refused by name, and answer true or false for any row in bounded time', () => {
    const random = new SeededRandom(SEED);
    const below = (limit: number) => Math.floor(random.next() * limit);
    let compiled = 0;
    let longest = { ms: 0, expression: '' };
    for (let run = 0; run < RUNS; run += 1) {
      let expression = SEEDS[below(SEEDS.length)]!;
      for (let left = below(4); left >= 0; left -= 1) {
        const at = below(expression.length + 1);
        const rest = expression.slice(at + (random.next() < 0.5 ? below(6) : 0));
        expression = expression.slice(0, at) + (random.next() < 0.7 ? PIECES[below(PIECES.length)] : '') + rest;
      }
      const start = performance.now();
      try {
        const wanted = compileFilter(expression, HEALTH_ROW);
        for (const row of ROWS) expect(typeof wanted(row)).toBe('boolean');
        compiled += 1;
      } catch (error) {
        if (!(error instanceof FilterError))
          throw new Error(`failed on ${JSON.stringify(expression)}`, { cause: error });
        expect(error.message).toMatch(/\w+ .*\w/);
      }
      const ms = performance.now() - start;
      if (ms > longest.ms) longest = { ms, expression };
    }
    expect(compiled).toBeGreaterThan(RUNS / 100);
    expect(compiled).toBeLessThan(RUNS);
    if (longest.ms > LONGEST_MS) throw new Error(`${longest.ms} ms for ${JSON.stringify(longest.expression)}`);
  }, 600_000);
});
