import { FakeClock } from '../../core/clock.ts';
import { AppError, type ErrorCode } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import type { Store, StoreView } from '../../store/store.ts';
import { CatalogFollower } from './follower.ts';
import { RefusedRecords } from './refused-records.ts';
import { RevisionGate } from './revision-gate.ts';
import type { CatalogState } from './state.ts';

/** A follower of a store whose watch ends and whose views can be refused, both with an error of the test's choice. */
function started() {
  const clock = new FakeClock();
  const stop = new AbortController();
  let breakWatch: (error: Error) => void = () => {};
  const store = {
    refused: undefined as ErrorCode | undefined,
    view: async (): Promise<StoreView> => {
      if (store.refused) throw new AppError(store.refused, 'not now');
      return { revision: 1, slices: async function* () {}, release() {} };
    },
    watch: async function* (_range: unknown, _after: unknown, signal: AbortSignal) {
      await new Promise<void>((resolve, reject) => {
        breakWatch = reject;
        signal.addEventListener('abort', () => resolve());
      });
    },
  };
  const loads = { count: 0 };
  const state = {
    revision: 1,
    refused: new RefusedRecords(),
    load: async () => {
      loads.count++;
    },
  } as unknown as CatalogState;
  const follower = new CatalogFollower({
    store: store as unknown as Store,
    state,
    gate: new RevisionGate(),
    clock,
    log: silentLogger,
    metrics: new Metrics(),
  });
  const end = { error: undefined as unknown, over: false };
  const running = follower.run({ signal: stop.signal, ready: () => {} }).then(
    () => {
      end.over = true;
    },
    (error) => {
      Object.assign(end, { error, over: true });
    },
  );
  return {
    clock,
    store,
    loads,
    end,
    lose: async (code: ErrorCode) => {
      await clock.advance(0);
      breakWatch(new AppError(code, 'the watch is over'));
      await clock.advance(0);
    },
    stop: async () => {
      stop.abort();
      await clock.advance(0);
      await running;
    },
  };
}

describe('the follower of the catalog', () => {
  it.each(['unavailable', 'deadline', 'storeMismatch'] as const)(
    'goes on when the store cannot be loaded anew for a while (%s)',
    async (code) => {
      const { clock, store, loads, end, lose, stop } = started();
      await clock.advance(0);
      store.refused = code;
      await lose('compacted');
      await clock.advance(10_000);
      expect([end, loads.count]).toEqual([{ error: undefined, over: false }, 1]);
      store.refused = undefined;
      await clock.advance(10_000);
      expect([end.over, loads.count]).toEqual([false, 2]);
      await stop();
    },
  );

  it('shows what it knows when the store has failed for good', async () => {
    const { clock, store, end, lose, stop } = started();
    await clock.advance(0);
    store.refused = 'storeCorrupt';
    await lose('storeCorrupt');
    await clock.advance(60_000);
    expect(end).toEqual({ error: undefined, over: false });
    await stop();
    expect(end).toEqual({ error: undefined, over: true });
  });

  it('ends with what cannot be applied while the store is well', async () => {
    const { end, lose, stop } = started();
    await lose('storeCorrupt');
    expect(end.error).toMatchObject({ code: 'storeCorrupt' });
    await stop();
  });
});
