import { FakeClock } from './clock.ts';
import { aborted, RunGroup, type Runnable, runnable } from './lifecycle.ts';
import { silentLogger } from './log.ts';

function recorder() {
  const events: string[] = [];
  const part = (name: string): Runnable =>
    runnable(name, async () => {
      events.push(`start ${name}`);
      return () => {
        events.push(`stop ${name}`);
      };
    });
  return { events, part };
}

function group(members: Runnable[], clock = new FakeClock()) {
  return new RunGroup({ clock, log: silentLogger }, { name: 'test', members, graceMs: 1_000 });
}

describe('run group', () => {
  it('starts in order, each after the previous is ready, and stops in reverse', async () => {
    const { events, part } = recorder();
    const controller = new AbortController();
    await new Promise<void>((resolve) => {
      void group([part('a'), part('b'), part('c')])
        .run({ signal: controller.signal, ready: () => controller.abort() })
        .then(resolve);
    });
    expect(events).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a']);
  });

  it('does not start a member while the one before is not ready', async () => {
    const { events, part } = recorder();
    const controller = new AbortController();
    const slow: Runnable = { name: 'slow', run: ({ signal }) => aborted(signal) };
    const run = group([slow, part('b')]).run({ signal: controller.signal, ready() {} });
    await new Promise((resolve) => setImmediate(resolve));
    expect(events).toEqual([]);
    controller.abort();
    await run;
    expect(events).toEqual([]);
  });

  it('stops the others and rejects with the cause when a member fails', async () => {
    const { events, part } = recorder();
    let fail: (error: Error) => void = () => {};
    const failing: Runnable = {
      name: 'failing',
      run: (ctx) => {
        ctx.ready();
        return new Promise((_, reject) => {
          fail = reject;
        });
      },
    };
    const run = group([part('a'), failing]).run({
      signal: new AbortController().signal,
      ready: () => fail(new Error('disk gone')),
    });
    await expect(run).rejects.toThrow('disk gone');
    expect(events).toEqual(['start a', 'stop a']);
  });

  it('rejects when a member fails to start, without starting the next', async () => {
    const { events, part } = recorder();
    const failing: Runnable = { name: 'failing', run: () => Promise.reject(new Error('port taken')) };
    await expect(
      group([part('a'), failing, part('c')]).run({ signal: new AbortController().signal, ready() {} }),
    ).rejects.toThrow('port taken');
    expect(events).toEqual(['start a', 'stop a']);
  });

  it('counts a member that ends by itself as failed', async () => {
    const ending: Runnable = { name: 'ending', run: async (ctx) => ctx.ready() };
    await expect(group([ending]).run({ signal: new AbortController().signal, ready() {} })).rejects.toThrow(
      'ending ended by itself',
    );
  });

  it('names the members that do not stop within the grace period', async () => {
    const clock = new FakeClock();
    const hanging: Runnable = {
      name: 'hanging',
      run: (ctx) => {
        ctx.ready();
        return new Promise(() => {});
      },
    };
    const controller = new AbortController();
    const run = group([hanging], clock).run({ signal: controller.signal, ready() {} });
    const outcome = expect(run).rejects.toThrow('hanging did not stop within 1000 ms');
    await clock.advance(0);
    controller.abort();
    await clock.advance(1_000);
    await outcome;
  });
});
