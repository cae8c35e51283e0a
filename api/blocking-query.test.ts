import { FakeClock } from '../core/clock.ts';
import { blockingQuery, type QueryResult } from './blocking-query.ts';

class Source {
  index = 5;
  applied = 10;
  value = 'a';
  runs = 0;
  readonly wakes = new Set<() => void>();
  readonly run = () => {
    this.runs++;
    return { value: this.value, index: this.index, applied: this.applied };
  };
  readonly watch = (wake: () => void) => {
    this.wakes.add(wake);
    return () => this.wakes.delete(wake);
  };
  change(index: number, value: string): void {
    this.index = index;
    this.applied = Math.max(this.applied, index);
    this.value = value;
    for (const wake of this.wakes) wake();
  }
}

interface Asked {
  source: Source;
  clock: FakeClock;
  controller: AbortController;
  answer: Promise<QueryResult<string>>;
  settled(): boolean;
}

function ask(options: { index: number; waitMs: number }, source = new Source(), random = 0.5): Asked {
  const clock = new FakeClock();
  const controller = new AbortController();
  let done = false;
  const answer = blockingQuery(
    { clock, random: { next: () => random, uuid: () => '' } },
    options,
    source.run,
    source.watch,
    controller.signal,
  );
  answer.then(
    () => {
      done = true;
    },
    () => {
      done = true;
    },
  );
  return { source, clock, controller, answer, settled: () => done };
}

describe('blocking query', () => {
  it('answers at once with index 0, and never gives an index below 1', async () => {
    const source = new Source();
    source.index = 0;
    source.applied = 0;
    await expect(ask({ index: 0, waitMs: 0 }, source).answer).resolves.toEqual({ value: 'a', index: 1 });
    expect(source.wakes.size).toBe(0);
  });

  it('answers at once when the data is newer', async () => {
    await expect(ask({ index: 4, waitMs: 0 }).answer).resolves.toEqual({ value: 'a', index: 5 });
  });

  it('waits for a change of its own data and leaves no watcher behind', async () => {
    const asked = ask({ index: 5, waitMs: 60_000 });
    await asked.clock.advance(1000);
    expect(asked.settled()).toBe(false);
    asked.source.change(11, 'b');
    await expect(asked.answer).resolves.toEqual({ value: 'b', index: 11 });
    expect(asked.source.wakes.size).toBe(0);
    expect(asked.clock.pending).toBe(0);
  });

  it('suppresses a wake without a newer version', async () => {
    const asked = ask({ index: 5, waitMs: 60_000 });
    await asked.clock.advance(10);
    asked.source.change(5, 'a');
    await asked.clock.advance(10);
    expect(asked.settled()).toBe(false);
    asked.source.change(12, 'c');
    await expect(asked.answer).resolves.toEqual({ value: 'c', index: 12 });
  });

  it('adds up to a sixteenth of the wait and answers the greater index on timeout', async () => {
    const asked = ask({ index: 8, waitMs: 16_000 });
    await asked.clock.advance(16_499);
    expect(asked.settled()).toBe(false);
    await asked.clock.advance(1);
    await expect(asked.answer).resolves.toEqual({ value: 'a', index: 8 });
  });

  it('waits 300 s when no wait is given, and a day at most', async () => {
    const byDefault = ask({ index: 5, waitMs: 0 }, new Source(), 0);
    await byDefault.clock.advance(299_999);
    expect(byDefault.settled()).toBe(false);
    await byDefault.clock.advance(1);
    expect(byDefault.settled()).toBe(true);
    const capped = ask({ index: 5, waitMs: 48 * 3_600_000 }, new Source(), 0);
    await capped.clock.advance(24 * 3_600_000);
    expect(capped.settled()).toBe(true);
  });

  it('hands back a lower index only after a bounded wait for an index from the future', async () => {
    const asked = ask({ index: 99, waitMs: 60_000 });
    await asked.clock.advance(9_999);
    expect(asked.settled()).toBe(false);
    await asked.clock.advance(1);
    await expect(asked.answer).resolves.toEqual({ value: 'a', index: 5 });
    const short = ask({ index: 99, waitMs: 700 }, new Source(), 0);
    await short.clock.advance(699);
    expect(short.settled()).toBe(false);
    await short.clock.advance(1);
    await expect(short.answer).resolves.toEqual({ value: 'a', index: 5 });
  });

  it('goes on waiting when it has caught up meanwhile', async () => {
    const asked = ask({ index: 20, waitMs: 60_000 }, new Source(), 0);
    await asked.clock.advance(5000);
    asked.source.applied = 20;
    await asked.clock.advance(20_000);
    expect(asked.settled()).toBe(false);
    asked.source.change(21, 'b');
    await expect(asked.answer).resolves.toEqual({ value: 'b', index: 21 });
  });

  it('ends when the client has gone or the server stops', async () => {
    const asked = ask({ index: 5, waitMs: 60_000 });
    await asked.clock.advance(10);
    asked.controller.abort();
    await expect(asked.answer).rejects.toMatchObject({ code: 'shuttingDown' });
    expect(asked.source.wakes.size).toBe(0);
  });

  it('does not lose a change between two readings', async () => {
    const source = new Source();
    const asked = ask({ index: 5, waitMs: 60_000 }, source);
    source.change(5, 'spurious');
    source.change(13, 'z');
    await expect(asked.answer).resolves.toEqual({ value: 'z', index: 13 });
  });
});
