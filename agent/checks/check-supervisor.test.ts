import type { CheckStatus } from '../../api/shapes/catalog.ts';
import { FakeClock } from '../../core/clock.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom } from '../../core/random.ts';
import type { CheckResult } from './check-state.ts';
import { CheckSupervisor } from './check-supervisor.ts';

const http = { HTTP: 'http://127.0.0.1/', Interval: '10s' };

describe('check supervisor', () => {
  let clock: FakeClock;
  let shown: [string, CheckStatus, string][];
  let runsAt: number[];
  let probe: () => Promise<CheckResult>;
  let supervisor: CheckSupervisor;

  beforeEach(() => {
    clock = new FakeClock();
    shown = [];
    runsAt = [];
    probe = async () => ({ status: 'passing', output: 'ok' });
    supervisor = new CheckSupervisor(
      {
        clock,
        random: new SeededRandom(1),
        metrics: new Metrics(),
        probe: () => {
          runsAt.push(clock.monotonic());
          return probe();
        },
        aliases: { follow: () => () => {} },
        onState: (key, status, output) => shown.push([key, status, output]),
      },
      { outputMaxBytes: 4096 },
    );
  });
  afterEach(() => supervisor.stopAll());
  const start = (definition: object, more: object = {}) =>
    supervisor.start({ key: 'a', definition, status: 'critical', output: '', prompt: false, ...more });

  it('gives an unknown check its verdict within 100 ms', async () => {
    start(http, { prompt: true });
    await clock.advance(100);
    expect(shown).toEqual([['a', 'passing', 'ok']]);
  });

  it('spreads the first runs of known checks over an interval', async () => {
    for (let i = 0; i < 200; i++) {
      supervisor.start({ key: `k${i}`, definition: http, status: 'passing', output: 'ok', prompt: false });
    }
    await clock.advance(10_000);
    expect(runsAt).toHaveLength(200);
    expect(runsAt.filter((at) => at < 5000).length).toBeGreaterThan(60);
    expect(runsAt.filter((at) => at >= 5000).length).toBeGreaterThan(60);
    expect(shown).toEqual([]);
  });

  it('does not drift when runs take long, and skips turns that are missed', async () => {
    probe = async () => {
      await clock.sleep(3000);
      return { status: 'passing', output: 'ok' };
    };
    start(http, { prompt: true });
    await clock.advance(45_000);
    const gaps = runsAt.slice(1).map((at, i) => at - runsAt[i]!);
    expect(gaps).toHaveLength(4);
    for (const gap of gaps) expect(gap).toBeCloseTo(10_000);
    probe = async () => {
      await clock.sleep(25_000);
      return { status: 'passing', output: 'ok' };
    };
    const before = runsAt.length;
    await clock.advance(60_000);
    expect((runsAt.at(-1)! - runsAt[before]!) % 10_000).toBeCloseTo(0);
  });

  it('is not held up by a check that hangs', async () => {
    let first = true;
    probe = () => {
      if (!first) return Promise.resolve({ status: 'passing', output: 'ok' });
      first = false;
      return new Promise(() => {});
    };
    start(http, { prompt: true });
    await clock.advance(100);
    supervisor.start({ key: 'b', definition: http, status: 'critical', output: '', prompt: true });
    await clock.advance(100);
    expect(shown).toEqual([['b', 'passing', 'ok']]);
  });

  it('says nothing more of a check that was stopped during its run', async () => {
    probe = async () => {
      await clock.sleep(1000);
      return { status: 'passing', output: 'ok' };
    };
    start(http, { prompt: true });
    await clock.advance(500);
    supervisor.stop('a');
    await clock.advance(5000);
    expect(shown).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('turns a definition that cannot run critical with the reason', () => {
    start({ HTTP: 'nonsense', Interval: '1s' }, { status: 'passing' });
    expect(shown).toEqual([['a', 'critical', expect.stringContaining('HTTP')]]);
  });

  it('survives a probe that throws', async () => {
    probe = () => Promise.reject(new Error('boom'));
    start(http, { prompt: true });
    await clock.advance(10_200);
    expect(shown[0]).toEqual(['a', 'critical', 'check could not run: boom']);
    expect(runsAt).toHaveLength(2);
  });

  describe('ttl', () => {
    it('is critical at expiry with the last output kept, and well again with an update', async () => {
      start({ TTL: '30s' }, { status: 'passing' });
      await clock.advance(20_000);
      supervisor.update('a', 'a', 'passing', 'alive');
      await clock.advance(29_999);
      expect(shown).toEqual([['a', 'passing', 'alive']]);
      await clock.advance(1);
      const expired = 'TTL expired (last output before timeout follows): alive';
      expect(shown.at(-1)).toEqual(['a', 'critical', expired]);
      await clock.advance(60_000);
      supervisor.update('a', 'a', 'passing', '');
      expect(shown.at(-1)).toEqual(['a', 'passing', '']);
    });

    it('gets a whole TTL after a restart', async () => {
      start({ TTL: '30s' }, { status: 'passing', output: 'from before' });
      await clock.advance(29_999);
      expect(shown).toEqual([]);
    });

    it('refuses updates of other checks', () => {
      start(http);
      expect(() => supervisor.update('a', 'A', 'passing', '')).toThrow('CheckID "A" does not have associated TTL');
      const refused = expect.objectContaining({ code: 'refused' });
      expect(() => supervisor.update('a', 'A', 'passing', '')).toThrow(refused);
      expect(() => supervisor.update('none', 'none', 'passing', '')).toThrow(/does not have associated TTL/);
    });

    it('cuts outputs between characters', () => {
      start({ TTL: '30s', OutputMaxSize: 10 });
      supervisor.update('a', 'a', 'passing', 'é'.repeat(20));
      expect(shown.at(-1)![2]).toBe('ééééé');
    });
  });
});
