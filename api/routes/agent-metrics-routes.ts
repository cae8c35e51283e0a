import { Readable } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import type { Metrics } from '../../core/metrics.ts';
import { type RequestTimings, TIMING_INTERVAL_MS } from '../http/request-timings.ts';
import type { Route } from '../http/route.ts';
import { type MetricsShape, metricsShape } from './agent-metrics-shape.ts';

export interface AgentMetricsDeps {
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Of the listener that serves these routes; absent where it is not measured. */
  readonly timings?: Pick<RequestTimings, 'read'>;
}

/** GET /v1/agent/metrics and its stream, one object for each interval (Consul HTTP API, "Agent"). */
export function agentMetricsRoutes(
  deps: AgentMetricsDeps,
  { datacenter, metricsHost }: { readonly datacenter: string; readonly metricsHost: string },
): Route[] {
  const shape = async (): Promise<MetricsShape> => {
    const text = await deps.metrics.text();
    return metricsShape(
      { text, timings: deps.timings?.read() ?? [] },
      {
        nowMs: deps.clock.now(),
        datacenter,
        host: metricsHost,
      },
    );
  };
  return [
    {
      method: 'GET',
      path: '/v1/agent/metrics',
      async handle(request) {
        const accept = String(request.headers.accept ?? '');
        if (request.query.get('format') !== 'prometheus' && !accept.includes('openmetrics')) {
          return { json: await shape() };
        }
        const headers = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
        return { text: await deps.metrics.text(), headers };
      },
    },
    {
      method: 'GET',
      path: '/v1/agent/metrics/stream',
      handle(request) {
        const { signal } = request;
        async function* lines(): AsyncGenerator<string> {
          while (!signal.aborted) {
            yield `${JSON.stringify(await shape())}\n`;
            await deps.clock.sleep(TIMING_INTERVAL_MS, signal);
          }
        }
        return {
          headers: { 'content-type': 'application/json' },
          stream: Readable.from(lines(), { objectMode: false }),
        };
      },
    },
  ];
}
