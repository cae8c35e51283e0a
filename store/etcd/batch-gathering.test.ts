import { BatchGathering } from './batch-gathering.ts';

const after = (commits: number, batch: { full?: boolean; tookMs?: number } = {}): BatchGathering => {
  const gathering = new BatchGathering({ maxTxns: 64 });
  gathering.sent(commits, { full: false, tookMs: 6, ...batch });
  return gathering;
};

describe('gathering of a batch', () => {
  it('keeps nobody waiting at first, nor after a small batch', () => {
    expect(new BatchGathering({ maxTxns: 64 }).pauseMs(1)).toBe(0);
    expect(after(1).pauseMs(1)).toBe(0);
    expect(after(3).pauseMs(1)).toBe(0);
  });

  it('waits for half as many again as the last batch had, and no more than fit', () => {
    expect(after(20).pauseMs(29)).toBe(2);
    expect(after(20).pauseMs(30)).toBe(0);
    expect(after(20).enough(29)).toBe(false);
    expect(after(60).pauseMs(64)).toBe(0);
    expect(after(42, { full: true }).pauseMs(41)).toBe(2);
    expect(after(42, { full: true }).pauseMs(42)).toBe(0);
  });

  it('takes a third of what etcd took, from one to three milliseconds', () => {
    expect(after(20, { tookMs: 0.5 }).pauseMs(1)).toBe(1);
    expect(after(20, { tookMs: 4.5 }).pauseMs(1)).toBe(1.5);
    expect(after(20, { tookMs: 5000 }).pauseMs(1)).toBe(3);
  });

  it('rests for a while when four pauses have brought nothing', () => {
    const gathering = after(20);
    for (const came of [0, 0, 0, 1, 0, 0, 0]) gathering.paused(came);
    expect(gathering.pauseMs(20)).toBe(2);
    gathering.paused(0);
    const pauses = Array.from({ length: 65 }, () => gathering.pauseMs(20));
    expect(pauses).toEqual([...Array<number>(64).fill(0), 2]);
    gathering.paused(0);
    expect(gathering.pauseMs(20)).toBe(2);
  });
});
