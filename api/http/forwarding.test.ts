import { leftToWait, pathLeftToWait } from './forwarding.ts';

describe('a request that is asked again after it has waited', () => {
  const left = (query: string, waitedMs: number) => leftToWait(new URLSearchParams(query), waitedMs).toString();

  it.each([
    ['waits for what is left', 'index=7&wait=20s&stale=', 17_000, 'index=7&wait=3000ms&stale='],
    ['waits for what is left of the default', 'index=7', 100_000, 'index=7&wait=200000ms'],
    ['waits for what is left of the longest that is allowed', 'index=7&wait=10h', 590_000, 'index=7&wait=10000ms'],
    ['is answered at once when nothing is left', 'hash=ab&wait=20s', 25_000, 'hash=ab&wait=1ms'],
    ['stays as it is when it does not wait', 'wait=20s&near=n', 17_000, 'wait=20s&near=n'],
    ['stays as it is when it has hardly waited', 'index=7&wait=20s', 50, 'index=7&wait=20s'],
  ])('%s', (_, query, waitedMs, expected) => {
    expect(left(query, waitedMs)).toBe(expected);
    expect(pathLeftToWait(`/v1/kv/a?${query}`, waitedMs)).toBe(`/v1/kv/a?${expected}`);
  });

  it('keeps a path without a query', () => {
    expect(pathLeftToWait('/v1/kv/a', 17_000)).toBe('/v1/kv/a');
  });
});
