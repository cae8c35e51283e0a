import type { Clock } from '../../core/clock.ts';
import type { CatalogState } from './state.ts';

/** Waits until the state has been loaded anew and something is so; whether it was within the time. */
export function loadedAnew(
  state: Pick<CatalogState, 'onReset'>,
  isSo: () => boolean,
  { clock, withinMs }: { readonly clock: Clock; readonly withinMs: number },
): Promise<boolean> {
  if (isSo()) return Promise.resolve(true);
  return new Promise((settle) => {
    const timer = clock.after(withinMs, () => {
      forget();
      settle(false);
    });
    const forget = state.onReset(() => {
      if (!isSo()) return;
      timer.cancel();
      forget();
      settle(true);
    });
  });
}
