import { FakeClock } from '../../core/clock.ts';
import { createLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { ClockOffset, encodeBeat, wallClockOf } from './clock-offset.ts';

const HOUR_MS = 3_600_000;

function setUp() {
  const clock = new FakeClock();
  const metrics = new Metrics();
  const lines: string[] = [];
  const log = createLogger({ level: 'warn', sink: { write: (line) => lines.push(line) } });
  const offset = new ClockOffset({ clock, log, metrics });
  /** Beats that come every 400 ms, of a leader whose clock differs by this from the own one. */
  const beats = async (count: number, theirOffsetMs: number, everyMs = 400): Promise<void> => {
    for (let i = 0; i < count; i++) {
      await clock.advance(everyMs);
      offset.heard(wallClockOf(encodeBeat(7, clock.now() + theirOffsetMs))!, 'server-1');
    }
  };
  const said = (): unknown[] => lines.map((line) => (JSON.parse(line) as { aheadSeconds: number }).aheadSeconds);
  return { clock, metrics, beats, said };
}

describe('the clock of a server', () => {
  it('that is an hour ahead or behind is said once in ten minutes, with what to do', async () => {
    for (const sign of [1, -1]) {
      const { metrics, beats, said } = setUp();
      await beats(10, -sign * HOUR_MS);
      expect(said()).toEqual([sign * 3600]);
      expect(await metrics.text()).toMatch(new RegExp(`lictor_clock_offset_seconds ${sign * 3600}\n`));
      await beats(1600, -sign * HOUR_MS);
      expect(said()).toEqual([sign * 3600, sign * 3600]);
    }
  });

  it('that is right, or jumps for a moment, is not spoken of', async () => {
    const { clock, beats, said } = setUp();
    await beats(10, 1000);
    clock.jumpWall(HOUR_MS);
    await beats(2, -HOUR_MS);
    clock.jumpWall(-HOUR_MS);
    await beats(10, 0);
    expect(said()).toEqual([]);
  });

  it('is not judged by beats that were held up, as after a pause', async () => {
    const { beats, said } = setUp();
    await beats(10, 0);
    await beats(50, -HOUR_MS, 1);
    expect(said()).toEqual([]);
  });

  it('is not told by the beats of older versions', () => {
    expect(wallClockOf(Buffer.from('12'))).toBeUndefined();
    expect(wallClockOf(Buffer.from('nonsense'))).toBeUndefined();
  });
});
