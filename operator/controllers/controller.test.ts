import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { WorkQueue } from '../work-queue/work-queue.ts';
import { Controller, DONE, type Reconciler, type Result, TerminalError } from './controller.ts';

function start(reconcile: (key: string, signal: AbortSignal) => Promise<Result>, workers = 2) {
  const clock = new FakeClock();
  const metrics = new Metrics();
  const queue = new WorkQueue({ clock, random: { next: () => 0 }, metrics }, { name: 'test' });
  const failures: { key: string; reason: string; terminal: boolean }[] = [];
  const reconciler: Reconciler = {
    kind: 'Test',
    reconcile,
    failed: async (key, { reason, terminal }) => {
      failures.push({ key, reason, terminal });
      return DONE;
    },
  };
  const stop = new AbortController();
  const controller = new Controller(
    { reconciler, queue, clock, log: silentLogger, metrics },
    { workers, reconcileMs: 1_000, showAfterFailures: 2 },
  );
  const running = controller.run({ signal: stop.signal, ready: () => {} });
  const end = () => {
    stop.abort();
    return running;
  };
  return { clock, queue, failures, metrics, end };
}

describe('controller', () => {
  it('works on different keys at the same time, on one key never', async () => {
    const open: string[] = [];
    let most = 0;
    let same = false;
    const { clock, queue, end } = start(async (key) => {
      same ||= open.includes(key);
      open.push(key);
      most = Math.max(most, open.length);
      await clock.sleep(10);
      open.splice(open.indexOf(key), 1);
      return DONE;
    });
    for (const key of ['a', 'b', 'c']) queue.add(key);
    await clock.advance(5);
    queue.add('a');
    await clock.advance(100);
    expect({ most, same, left: queue.size }).toEqual({ most: 2, same: false, left: 0 });
    await end();
  });

  it('looks again after the time that a reconcile asked for', async () => {
    let calls = 0;
    const { clock, queue, end } = start(async () => (++calls === 1 ? { requeueAfterMs: 500 } : DONE));
    queue.add('a');
    await clock.advance(499);
    expect(calls).toBe(1);
    await clock.advance(2);
    expect(calls).toBe(2);
    await end();
  });

  it('retries what throws, and shows it in the status from the second failure on', async () => {
    let calls = 0;
    const { clock, queue, failures, end } = start(async () => {
      if (++calls < 4) throw new AppError('unavailable', 'no server');
      return DONE;
    });
    queue.add('a');
    await clock.advance(2_000);
    expect(calls).toBe(4);
    expect(failures).toEqual([
      { key: 'a', reason: 'Unavailable', terminal: false },
      { key: 'a', reason: 'Unavailable', terminal: false },
    ]);
    expect(queue.failures('a')).toBe(0);
    await end();
  });

  it('does not retry a terminal error but shows it', async () => {
    let calls = 0;
    const { clock, queue, failures, end } = start(async () => {
      calls++;
      throw new TerminalError('NameTaken', 'taken');
    });
    queue.add('a');
    await clock.advance(100_000);
    expect(calls).toBe(1);
    expect(failures).toEqual([{ key: 'a', reason: 'NameTaken', terminal: true }]);
    await end();
  });

  it('gives up a reconcile at its deadline; other keys go on meanwhile', async () => {
    const done: string[] = [];
    const { clock, queue, end } = start(async (key, signal) => {
      if (key === 'hangs')
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      done.push(key);
      return DONE;
    });
    queue.add('hangs');
    queue.add('a');
    await clock.advance(10);
    expect(done).toEqual(['a']);
    await clock.advance(1_000);
    expect(queue.failures('hangs')).toBe(1);
    await end();
  });
});
