import fc from 'fast-check';
import { compileFilter } from '../../api/filter/compile.ts';
import { HEALTH_ROW } from '../../api/filter/rows.ts';
import { SeededRandom } from '../../core/random.ts';
import { isWanted, row, tree, written } from '../support/filter-cases.ts';

/** Expressions, each with a few rows; the nightly form asks for more. */
const RUNS = Math.min(Number(process.env.PROPERTY_RUNS ?? 3000), 1_000_000);

describe('filters', () => {
  it('want the rows that the documented language wants, however an expression is written', () => {
    const seen = { true: 0, false: 0 };
    const rows = fc.array(row, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(tree, rows, fc.integer(), (of, some, seed) => {
        const random = new SeededRandom(seed);
        const text = written(of, () => random.next());
        const wanted = compileFilter(text, HEALTH_ROW);
        for (const one of some) {
          const expected = isWanted(of, one);
          seen[`${expected}`] += 1;
          if (wanted(one) !== expected) throw new Error(`${text}\nis ${!expected} for ${JSON.stringify(one)}`);
        }
      }),
      { numRuns: RUNS },
    );
    // Neither answer is the rule.
    expect(Math.min(seen.true, seen.false)).toBeGreaterThan(RUNS / 4);
  }, 300_000);
});
