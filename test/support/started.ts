import type { Runnable } from '../../core/lifecycle.ts';

/** Runs a part on its own and waits until it is ready. Gives what ends it, and resolves when it has. */
export async function started(part: Runnable): Promise<() => Promise<void>> {
  const controller = new AbortController();
  let done: Promise<void> = Promise.resolve();
  await new Promise<void>((ready, fail) => {
    done = part.run({ signal: controller.signal, ready });
    done.catch(fail);
  });
  return () => {
    controller.abort();
    return done;
  };
}
