import type { Metrics } from '../core/metrics.ts';

/** What each durable batch of commits is counted by. */
export function syncMetrics(
  metrics: Pick<Metrics, 'histogram'> | undefined,
): ((seconds: number, txns: number) => void) | undefined {
  const seconds = metrics?.histogram(
    { name: 'lictor_store_sync_seconds', help: 'Time until a batch of commits was durable.' },
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
  );
  const txns = metrics?.histogram(
    { name: 'lictor_store_batch_transactions', help: 'Transactions that were made durable together.' },
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
  );
  return (tookSeconds, count) => {
    seconds?.observe(tookSeconds);
    txns?.observe(count);
  };
}
