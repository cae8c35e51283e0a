import { compileFilter } from '../../api/filter/compile.ts';
import { FilterError } from '../../api/filter/lexer.ts';
import { HEALTH_ROW } from '../../api/filter/rows.ts';
import { SeededRandom } from '../../core/random.ts';
import { mutatedFilter } from '../support/filter-mutations.ts';

/** Mutated expressions; `make fuzz` asks for many more. */
const RUNS = Math.min(Number(process.env.FUZZ_RUNS ?? 5000), 100_000);
const SEED = Number(process.env.FUZZ_SEED ?? 20_260_101);
/** No expression takes longer over all rows, ten times what the slowest pattern that is taken needs. */
const LONGEST_MS = 3000;

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
    let compiled = 0;
    let longest = { ms: 0, expression: '' };
    for (let run = 0; run < RUNS; run += 1) {
      const expression = mutatedFilter(random);
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
