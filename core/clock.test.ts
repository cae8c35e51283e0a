import { FakeClock, SystemClock } from './clock.ts';

describe('fake clock', () => {
  it('fires timers in order of time, then of setting', async () => {
    const clock = new FakeClock();
    const fired: string[] = [];
    clock.after(20, () => fired.push('late'));
    clock.after(10, () => fired.push('first'));
    clock.after(10, () => fired.push('second'));
    await clock.advance(15);
    expect(fired).toEqual(['first', 'second']);
    await clock.advance(5);
    expect(fired).toEqual(['first', 'second', 'late']);
  });

  it('fires a timer that a timer set, within the same advance', async () => {
    const clock = new FakeClock();
    let at = 0;
    clock.after(10, () => {
      clock.after(10, () => {
        at = clock.monotonic();
      });
    });
    await clock.advance(30);
    expect(at).toBe(20);
  });

  it('does not move deadlines when the wall clock jumps', async () => {
    const clock = new FakeClock(1_000);
    let fired = false;
    clock.after(10, () => {
      fired = true;
    });
    clock.jumpWall(3_600_000);
    expect(clock.now()).toBe(3_601_000);
    expect(clock.monotonic()).toBe(0);
    await clock.advance(9);
    expect(fired).toBe(false);
  });

  it('never fires a cancelled timer, and ends a sleep when its signal aborts', async () => {
    const clock = new FakeClock();
    let fired = false;
    clock
      .after(10, () => {
        fired = true;
      })
      .cancel();
    const controller = new AbortController();
    const slept = clock.sleep(1_000, controller.signal);
    controller.abort();
    await slept;
    await clock.advance(20);
    expect(fired).toBe(false);
    expect(clock.pending).toBe(0);
  });
});

describe('system clock', () => {
  it('sleeps at least as long as asked and ends early on abort', async () => {
    const clock = new SystemClock();
    const start = clock.monotonic();
    await clock.sleep(20);
    expect(clock.monotonic() - start).toBeGreaterThanOrEqual(19);
    await clock.sleep(60_000, AbortSignal.timeout(10));
    expect(clock.monotonic() - start).toBeLessThan(30_000);
  });

  it('waits for more than a timer of Node can', () => {
    const ms = 100 * 24 * 3_600_000;
    const real = globalThis.setTimeout;
    const steps: { fn: () => void; ms: number }[] = [];
    let fired = false;
    globalThis.setTimeout = ((fn: () => void, ms: number) => {
      steps.push({ fn, ms });
      return { unref: () => {} };
    }) as unknown as typeof setTimeout;
    try {
      new SystemClock().after(ms, () => {
        fired = true;
      });
      for (let i = 0; i < steps.length; i++) steps[i]!.fn();
    } finally {
      globalThis.setTimeout = real;
    }
    expect(fired).toBe(true);
    expect(steps.reduce((sum, step) => sum + step.ms, 0)).toBe(ms);
    expect(Math.max(...steps.map((step) => step.ms))).toBeLessThan(2 ** 31);
  });
});
