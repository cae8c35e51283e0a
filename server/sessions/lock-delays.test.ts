import { FakeClock } from '../../core/clock.ts';
import { type LockDelayRecord, LockDelays } from './lock-delays.ts';

const DELAY_MS = 15_000;

/** The milliseconds that are left of a delay which began `agoMs` before, by a wall clock that is `offMs` fast. */
function leftOf({ agoMs = 0, offMs = 0, loading }: { agoMs?: number; offMs?: number; loading: boolean }): number {
  const clock = new FakeClock();
  const delays = new LockDelays({ clock });
  const record: LockDelayRecord = { untilMs: clock.now() - agoMs - offMs + DELAY_MS, delayMs: DELAY_MS };
  const value = Buffer.from(JSON.stringify(record));
  delays.put('default/a', { key: 'k', value, createRevision: 1, modRevision: 1 }, { loading });
  return delays.left('default/a');
}

const HOUR_MS = 3_600_000;

describe('lock delays', () => {
  it.each([0, HOUR_MS, -HOUR_MS, 5000])('last as long as promised where the wall clock is %d ms off', (offMs) => {
    expect(leftOf({ offMs, loading: false })).toBe(DELAY_MS);
  });

  it('go on where they were after a restart', () => {
    expect(leftOf({ agoMs: 5000, loading: true })).toBe(DELAY_MS - 5000);
  });

  it('are not cut short by a jump of the wall clock before everything is loaded anew', async () => {
    const clock = new FakeClock();
    const delays = new LockDelays({ clock });
    const record: LockDelayRecord = { untilMs: clock.now() + DELAY_MS, delayMs: DELAY_MS };
    const entry = { key: 'k', value: Buffer.from(JSON.stringify(record)), createRevision: 1, modRevision: 1 };
    delays.put('default/a', entry, { loading: false });
    await clock.advance(5000);
    clock.jumpWall(DELAY_MS - 6000);
    // Twice, as when the first load fails on its way.
    delays.clear();
    delays.clear();
    delays.put('default/a', entry, { loading: true });
    delays.settle({ loading: true });
    expect(delays.left('default/a')).toBe(DELAY_MS - 5000);
    // What is not there any more counts no more.
    delays.clear();
    delays.settle({ loading: true });
    delays.put('default/a', entry, { loading: true });
    expect(delays.left('default/a')).toBeLessThan(2000);
  });

  it('that begin with the end of a session go on when they are stored later', async () => {
    const clock = new FakeClock();
    const delays = new LockDelays({ clock });
    const record: LockDelayRecord = { untilMs: clock.now() + DELAY_MS, delayMs: DELAY_MS };
    delays.begin('default/a', record, { loading: false });
    clock.jumpWall(HOUR_MS);
    await clock.advance(5000);
    expect(delays.left('default/a')).toBe(DELAY_MS - 5000);
    const value = Buffer.from(JSON.stringify(record));
    delays.put('default/a', { key: 'k', value, createRevision: 1, modRevision: 1 }, { loading: false });
    expect(delays.left('default/a')).toBe(DELAY_MS - 5000);
    await clock.advance(DELAY_MS);
    expect(delays.over(10)).toEqual(['default/a']);
  });

  it('that were never stored are forgotten when they are over', async () => {
    const clock = new FakeClock();
    const delays = new LockDelays({ clock });
    delays.begin('default/a', { untilMs: clock.now() + DELAY_MS, delayMs: DELAY_MS }, { loading: false });
    await clock.advance(DELAY_MS);
    expect([delays.over(10), delays.left('default/a')]).toEqual([[], 0]);
  });

  it.each([HOUR_MS, -HOUR_MS])('begin anew after a restart with a wall clock that is %d ms off', (offMs) => {
    expect(leftOf({ agoMs: 5000, offMs, loading: true })).toBe(DELAY_MS);
  });
});
