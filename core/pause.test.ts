import { FakeClock } from './clock.ts';
import { Pause } from './pause.ts';

describe('Pause', () => {
  const started = (clock: FakeClock) => {
    const pause = new Pause(clock);
    let over = false;
    const waiting = pause.wait(100).then(() => {
      over = true;
    });
    return { pause, waiting, over: () => over };
  };

  it('ends after its time', async () => {
    const clock = new FakeClock();
    const { over } = started(clock);
    await clock.advance(99);
    expect(over()).toBe(false);
    await clock.advance(1);
    expect(over()).toBe(true);
  });

  it('ends early when resumed, and a resume without a wait does nothing', async () => {
    const clock = new FakeClock();
    const { pause, waiting, over } = started(clock);
    pause.resume();
    await waiting;
    expect(over()).toBe(true);
    pause.resume();
    const again = started(clock);
    await clock.advance(50);
    expect(again.over()).toBe(false);
  });
});
