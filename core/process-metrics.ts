import { PerformanceObserver } from 'node:perf_hooks';
import type { Metrics } from './metrics.ts';

/** Adds figures of this process: memory, garbage collection, what keeps the event loop busy. Once for each registry. */
export function observeProcess(metrics: Metrics): void {
  const gc = { runs: 0, pauseMs: 0 };
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      gc.runs += 1;
      gc.pauseMs += duration;
    }
  }).observe({ entryTypes: ['gc'] });
  const gauge = (name: string, help: string, read: () => number) =>
    metrics.observedGauge({ name: `lictor_process_${name}`, help }, read);
  gauge('resident_bytes', 'Memory of the process that is resident', () => process.memoryUsage.rss());
  gauge('heap_bytes', 'Memory that JavaScript objects and their buffers use', () => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  });
  gauge('active_resources', 'Timers, sockets and operations under way', () => process.getActiveResourcesInfo().length);
  gauge('gc_runs', 'Runs of the garbage collector since the start', () => gc.runs);
  gauge('gc_pause_nanoseconds', 'Time spent in the garbage collector since the start', () => gc.pauseMs * 1e6);
}
