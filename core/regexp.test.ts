import { compileRegexp } from './regexp.ts';

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
  ])('refuses %s as Go does', (pattern, text) => {
    expect(() => compileRegexp(pattern)).toThrow(text);
  });

  it('takes linear time where a backtracking engine never ends', () => {
    const text = 'a'.repeat(20_000);
    expect(compileRegexp('^(((a*)*)*)*b').test(text)).toBe(false);
  });
});
