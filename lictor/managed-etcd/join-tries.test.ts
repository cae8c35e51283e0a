import { FakeClock } from '../../core/clock.ts';
import { JoinTries } from './join-tries.ts';

const A = 'http://10.0.0.1:8300';
const B = 'http://10.0.0.2:8300';

describe('JoinTries', () => {
  it.each([
    ['a second when no interval is given', undefined, 1000],
    ['the interval', 7000, 7000],
  ])('asks who answers at once, and who does not after %s', async (_, intervalMs, waitMs) => {
    const clock = new FakeClock();
    const tries = new JoinTries({ clock }, { intervalMs, max: 0 });
    expect(tries.due([A, B])).toEqual([A, B]);
    tries.answered(A);
    tries.failed(B, `${B}: connect ECONNREFUSED`);
    expect(tries.due([A, B])).toEqual([A]);
    await clock.advance(waitMs - 1);
    expect(tries.due([A, B])).toEqual([A]);
    await clock.advance(1);
    expect(tries.due([A, B])).toEqual([A, B]);
  });

  it.each([
    [undefined, 90_000, '3 × 30 s'],
    [2000, 6000, '3 × 2 s'],
  ])(
    'gives up after so many intervals without an answer (%p), and tells all failures',
    async (intervalMs, ms, text) => {
      const clock = new FakeClock();
      const tries = new JoinTries({ clock }, { intervalMs, max: 3 });
      tries.failed(A, `${A}: connect ECONNREFUSED`);
      await clock.advance(ms);
      expect(tries.refusal([A, B])).toBeUndefined();
      tries.failed(B, `${B}: 404 no such path`);
      expect(tries.refusal([A, B])).toContain(
        `${text} (retry_max, retry_interval): ${A}: connect ECONNREFUSED; ${B}: 404`,
      );
    },
  );

  it('never gives up while one answers, nor without a limit or anybody to join', async () => {
    const clock = new FakeClock();
    const make = (max: number) => {
      const tries = new JoinTries({ clock }, { intervalMs: 1, max });
      tries.failed(A, 'x');
      return tries;
    };
    const [answered, forever, alone] = [make(1), make(0), make(1)];
    answered.answered(A);
    await clock.advance(1000);
    expect([answered, forever].map((one) => one.refusal([A]))).toEqual([undefined, undefined]);
    expect(alone.refusal([])).toBeUndefined();
    expect(alone.refusal([A])).toBeDefined();
  });
});
