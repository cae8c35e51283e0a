import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { EtcdClient } from './etcd-client.ts';
import { EtcdError } from './etcd-error.ts';

export interface CompactorDeps {
  readonly client: Pick<EtcdClient, 'compact'>;
  /** Etcd's revision that this process knows. */
  readonly known: () => number;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Lets etcd forget the changes of one period ago, so that its file does not grow with every change until its quota is
 * used up. Every process of a store does so: the second one finds it done. A watch that was away for longer loads anew.
 */
export async function compactRegularly(
  { client, known, clock, log }: CompactorDeps,
  options: { readonly everyMs: number },
  signal: AbortSignal,
): Promise<void> {
  let before = known();
  while (!signal.aborted) {
    await clock.sleep(options.everyMs, signal);
    if (signal.aborted) return;
    const revision = before;
    before = known();
    // Etcd's revision falls when it is restored from a backup.
    if (revision === 0 || revision >= before) continue;
    try {
      await client.compact(revision);
    } catch (error) {
      // Another server was first.
      if (error instanceof EtcdError && error.reason === 'compacted') continue;
      log.warn('the history in etcd could not be compacted; tried again later', { text: errorText(error) });
    }
  }
}
