import { CachedReads } from './cached-reads.ts';

describe('reads that were asked for before', () => {
  it('are told apart, whatever their length', () => {
    const reads = new CachedReads({ clock: { monotonic: () => 0 } });
    const long = 'x'.repeat(50_000);
    const ask = (key: string) => reads.ask(key, undefined)['x-cache'];
    expect(['a', 'b', `${long}a`, `${long}b`].map(ask)).toEqual(['MISS', 'MISS', 'MISS', 'MISS']);
    expect(['a', 'b', `${long}a`, `${long}b`].map(ask)).toEqual(['HIT', 'HIT', 'HIT', 'HIT']);
  });

  it('take little memory, whatever their length', () => {
    const reads = new CachedReads({ clock: { monotonic: () => 0 } });
    const before = process.memoryUsage().rss;
    for (let n = 0; n < 10_000; n++) reads.ask(Buffer.alloc(50_000, `${n} `).toString('latin1'), undefined);
    expect(process.memoryUsage().rss - before).toBeLessThan(250 * 2 ** 20);
  });
});
