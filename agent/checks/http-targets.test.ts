import { guardedLookup, mayFollow, refusedHost } from './http-targets.ts';

describe('mayFollow', () => {
  it.each([
    ['http://a/', 'http://a/health', true],
    ['http://a/', 'http://a:80/health', true],
    ['http://a:8080/', 'http://a:8080/x', true],
    ['http://a/', 'https://a/', true],
    ['http://a:8080/', 'https://a:8443/', false],
    ['http://a/', 'https://a:8443/', false],
    ['https://a/', 'http://a/', false],
    ['http://a:8080/', 'http://a:8500/', false],
    ['http://a/', 'http://b/', false],
    ['http://a/', 'http://a.b/', false],
    ['http://127.0.0.1:1/', 'http://localhost:1/', false],
  ])('from %s to %s: %s', (from, to, may) => {
    expect(mayFollow(new URL(from), new URL(to))).toBe(may);
  });
});

describe('hosts that are not asked', () => {
  it('are addresses of metadata services, not their neighbours', () => {
    expect(refusedHost('169.254.169.254')).toMatch(/^169\.254\.169\.254 is where/);
    for (const host of ['169.254.20.10', '10.0.0.1', '::1', 'metadata.google.internal']) {
      expect(refusedHost(host)).toBeUndefined();
    }
  });

  it('are found behind names too', async () => {
    const ask = (name: string) =>
      new Promise<unknown>((resolve) =>
        guardedLookup(name, { all: true }, (error, found) => resolve(error ? error.message : found)),
      );
    // The resolver gives a literal back as its own address.
    expect(await ask('169.254.169.254')).toMatch(/checks do not ask there$/);
    expect(await ask('127.0.0.1')).toEqual([{ address: '127.0.0.1', family: 4 }]);
    expect(await ask('no-such-name.invalid')).toMatch(/ENOTFOUND|EAI_AGAIN/);
  });
});
