import { FakeClock } from '../../core/clock.ts';
import { RequestTimings } from './request-timings.ts';

describe('timings of requests', () => {
  it('are those of the last complete interval', async () => {
    const clock = new FakeClock();
    const timings = new RequestTimings({ clock });
    const request = async (ms: number) => {
      const start = timings.start();
      await clock.advance(ms);
      timings.record('GET', '/v1/kv/:key', start);
    };
    await request(10);
    await request(30);
    const timing = { count: 2, sum: 40, sumOfSquares: 1000, min: 10, max: 30 };
    // The first interval is shown while it runs.
    expect(timings.read()).toEqual([{ method: 'GET', route: '/v1/kv/:key', timing }]);
    await clock.advance(10_000);
    await request(5);
    expect(timings.read()[0]?.timing).toEqual(timing);
    await clock.advance(10_000);
    expect(timings.read()[0]?.timing.count).toBe(1);
    await clock.advance(30_000);
    expect(timings.read()).toEqual([]);
  });
});
