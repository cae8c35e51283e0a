import { MAX_UINT64, parseUint64 } from './kv.ts';

describe('an unsigned number of 64 bits', () => {
  it.each([
    ['0', 0n],
    ['7', 7n],
    ['007', 7n],
    ['18446744073709551615', MAX_UINT64],
    [`${'0'.repeat(100_000)}5`, 5n],
  ])('%#', (text, value) => {
    expect(parseUint64(text)).toBe(value);
  });

  it.each(['18446744073709551616', `1${'0'.repeat(64)}`, '9'.repeat(100_000)])('refuses what is larger %#', (text) => {
    expect(parseUint64(text)).toMatch(/value out of range$/);
  });

  it.each(['', '-1', '1.5', '0x1', '1e3', ' 1'])('refuses %j', (text) => {
    expect(parseUint64(text)).toMatch(/invalid syntax$/);
  });
});
