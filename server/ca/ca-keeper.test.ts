import { FakeClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import type { CatalogState } from '../catalog/state.ts';
import { settingsOf } from './ca-config.ts';
import { CaKeeper } from './ca-keeper.ts';

it('ends with its term also when that is over while it writes', async () => {
  let written = (): void => {};
  const writing = new Promise<void>((resolve) => {
    written = resolve;
  });
  let begun = (): void => {};
  const writes = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const keeper = new CaKeeper({
    clock: new FakeClock(),
    log: silentLogger,
    state: { topics: { watch: () => () => {} } } as unknown as CatalogState,
    table: { state: undefined, active: undefined, settings: settingsOf({}), rootGiven: false, isBroken: false },
    writer: {
      initialize: () => {
        begun();
        return writing;
      },
      prune: async () => {},
    },
    wanted: Promise.resolve(),
  });
  const term = new AbortController();
  const running = keeper.run({ signal: term.signal, ready: () => {} });
  await writes;
  term.abort();
  written();
  await running;
});
