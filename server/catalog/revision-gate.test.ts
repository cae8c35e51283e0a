import { FakeClock } from '../../core/clock.ts';
import { RevisionGate } from './revision-gate.ts';

describe('revision gate', () => {
  it('lets those through whose revision the state shows, and no one else', async () => {
    const clock = new FakeClock();
    const gate = new RevisionGate();
    const [second, third] = [2, 3].map((revision) => gate.reached(revision, { clock, withinMs: 1_000 }));
    gate.advance(2);
    expect(await second).toBe(true);
    expect(await gate.reached(1, { clock, withinMs: 0 })).toBe(true);
    await clock.advance(1_000);
    expect(await third).toBe(false);
    expect(clock.pending).toBe(0);
  });

  it('tells each when its own time is over', async () => {
    const clock = new FakeClock();
    const gate = new RevisionGate();
    const told: string[] = [];
    const wait = async (revision: number, withinMs: number) => {
      const reached = await gate.reached(revision, { clock, withinMs });
      told.push(`${withinMs} ${reached} at ${clock.monotonic()}`);
    };
    const all = [wait(9, 500), wait(9, 100), wait(9, 300), wait(2, 400)];
    await clock.advance(200);
    gate.advance(2);
    await clock.advance(800);
    await Promise.all(all);
    expect(told).toEqual(['100 false at 100', '400 true at 200', '300 false at 300', '500 false at 500']);
    expect(clock.pending).toBe(0);
  });

  it('shows all of a batch before its writers go on', async () => {
    const clock = new FakeClock();
    const gate = new RevisionGate();
    const order: string[] = [];
    const writers = [1, 2].map(async (revision) => {
      if (await gate.reached(revision, { clock, withinMs: 1_000 })) order.push(`writer ${revision}`);
    });
    for (const revision of [1, 2]) {
      gate.advance(revision);
      await Promise.resolve();
      order.push(`shown ${revision}`);
    }
    await Promise.all(writers);
    expect(order).toEqual(['shown 1', 'shown 2', 'writer 1', 'writer 2']);
  });

  it('tells all who wait, and all who come, at once when it closes', async () => {
    const clock = new FakeClock();
    const gate = new RevisionGate();
    const waiting = gate.reached(5, { clock, withinMs: 10_000 });
    gate.close();
    expect(await waiting).toBe(false);
    expect(await gate.reached(6, { clock, withinMs: 10_000 })).toBe(false);
    expect(clock.pending).toBe(0);
  });
});
