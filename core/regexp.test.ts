import { compileRegexp, patternSteps } from './regexp.ts';

describe('regexp', () => {
  it('gives the groups of the first match, and nothing without one', () => {
    const regexp = compileRegexp('^geo-(.*?)-([^-]+)(x)?$');
    expect(regexp.groups('geo-eu-orders')).toEqual(['geo-eu-orders', 'eu', 'orders', '']);
    expect(regexp.groups('other')).toBeUndefined();
    expect(regexp.test('geo-eu-orders')).toBe(true);
  });

  it.each([
    ['(', 'error parsing regexp: missing closing ): `(`'],
    ['[', 'error parsing regexp: missing closing ]: `[`'],
    ['x'.repeat(2000), /has 2000 characters/],
    ['a{1001}', 'error parsing regexp: invalid repeat count: `{1001}`'],
    ['a{0,1000}'.repeat(100), /has 100000 steps with its repetitions written out; at most 1000 are taken/],
    ['((a{10}){10}){10}', /has 1220 steps/],
  ])('refuses %s as Go does', (pattern, text) => {
    expect(() => compileRegexp(pattern)).toThrow(text);
  });

  it('takes linear time where a backtracking engine never ends', () => {
    const text = 'a'.repeat(20_000);
    expect(compileRegexp('^(((a*)*)*)*b').test(text)).toBe(false);
  });

  it.each([
    ['abc', 3],
    ['a{3}', 3],
    ['a{2,}b', 4],
    ['(ab){2,4}', 16],
    ['[a-z{9}]{2}', 2],
    ['[]{9}]x', 2],
    ['[[:alpha:]]{5}', 5],
    ['\\p{L}\\x{10FF}\\{9}', 5],
    ['\\Qa{9}\\E', 8],
    ['a{x}', 4],
    ['a{0}', 1],
    ['((((', 0],
    ['))', 2],
  ])('counts the steps of %s', (pattern, steps) => {
    expect(patternSteps(pattern)).toBe(steps);
  });
});
