import { FakeClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { DeleteEvidence } from './delete-evidence.ts';
import { SweepGuard, type SweepSubject } from './sweep-guard.ts';

const guard = (total: number, options = {}) =>
  new SweepGuard({ total: () => total, log: silentLogger, metrics: new Metrics() }, options);

describe('sweep guard', () => {
  it('waits until all that may miss something were looked at', () => {
    const one = guard(100);
    const settled: string[][] = [];
    one.onSettled((refs) => settled.push([...refs]));
    for (const ref of ['a', 'b', 'c']) one.expectVisit(ref);
    one.visit('a', 1);
    expect(one.verdict('a')).toBe('wait');
    one.visit('b', 0);
    expect(settled).toEqual([]);
    one.visit('c', 2);
    expect(one.verdict('c')).toBe('go');
    expect(settled).toEqual([['a', 'c']]);
  });

  it.each([
    [10, 10, 'go'], // so few may always go
    [11, 20, 'held'],
    [11, 22, 'go'], // just half
    [11, 21, 'held'],
    [400, 1_000, 'go'],
    [501, 1_000, 'held'],
  ])('%d of %d inferred deletes: %s', (wanted, total, expected) => {
    const one = guard(total);
    for (let i = 0; i < wanted; i++) one.visit(`ref-${i}`, 1);
    expect(one.verdict('ref-0')).toBe(expected);
  });

  it('goes on once fewer are wanted, and tells that nothing is held any more', () => {
    const told: (string | undefined)[] = [];
    const one = guard(20, { onHeld: (_: SweepSubject, text?: string) => told.push(text) });
    one.visit('a', 15);
    expect(one.verdict('a')).toBe('held');
    one.visit('a', 0);
    expect(told).toEqual(['15 of 20 instances would be removed at once, more than 50 %', undefined]);
    expect(one.verdict('a')).toBe('go');
  });

  describe('of a sweep that was let through', () => {
    let total: number;
    let one: SweepGuard;
    beforeEach(() => {
      total = 40;
      one = new SweepGuard({ total: () => total, log: silentLogger, metrics: new Metrics() });
      for (const ref of ['a', 'b']) one.expectVisit(ref);
      one.visit('a', 10);
      one.visit('b', 10);
    });

    it('lets the rest go, however few entries are left', () => {
      for (const ref of ['a', 'b']) {
        one.visit(ref, 10);
        expect(one.verdict(ref)).toBe('go');
        total -= 10; // what goes is known to be gone before its object is looked at again
      }
      one.visit('b', 3);
      expect(one.verdict('b')).toBe('go');
    });

    it('judges what comes on top of it against what will be left', () => {
      one.visit('c', 10);
      expect(one.verdict('c')).toBe('go');
      one.visit('d', 11);
      expect([one.verdict('d'), one.verdict('a')]).toEqual(['held', 'go']);
      expect(one.describe()).toBe('11 of 11 instances would be removed at once, more than 50 %');
    });

    it('asks again for more of the same object, and for what comes after it', () => {
      one.visit('a', 21);
      expect(one.verdict('a')).toBe('held');
      one.visit('a', 0);
      one.visit('b', 0);
      one.visit('a', 21);
      expect(one.verdict('a')).toBe('held');
    });
  });

  it('lets all through with a share of 1', () => {
    const one = guard(20, { maxSweepShare: 1 });
    one.visit('a', 20);
    expect(one.verdict('a')).toBe('go');
  });
});

describe('evidence of deletes', () => {
  it('still counts when it came after what was carried out', () => {
    const evidence = new DeleteEvidence({ clock: new FakeClock() });
    const none = evidence.latest('a');
    evidence.note('a');
    const first = evidence.latest('a');
    evidence.carriedOut('a', none);
    expect(evidence.has('a')).toBe(true);
    evidence.note('a'); // at the same instant
    evidence.carriedOut('a', first);
    expect(evidence.has('a')).toBe(true);
    evidence.carriedOut('a', evidence.latest('a'));
    expect(evidence.has('a')).toBe(false);
  });

  it('is forgotten after a while, and the oldest when there is too much', async () => {
    const clock = new FakeClock();
    const evidence = new DeleteEvidence({ clock });
    evidence.note('a');
    expect(evidence.has('a')).toBe(true);
    await clock.advance(10 * 60_000);
    expect(evidence.has('a')).toBe(false);
    for (let i = 0; i < 50_010; i++) evidence.note(`x${i}`);
    expect(evidence.size).toBe(50_000);
    expect([evidence.has('x0'), evidence.has('x50009')]).toEqual([false, true]);
  });
});
