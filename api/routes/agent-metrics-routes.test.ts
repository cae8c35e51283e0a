import type { Readable } from 'node:stream';
import { FakeClock } from '../../core/clock.ts';
import { Metrics } from '../../core/metrics.ts';
import { RequestTimings } from '../http/request-timings.ts';
import type { RouteRequest, RouteResponse } from '../http/route.ts';
import { agentMetricsRoutes } from './agent-metrics-routes.ts';
import type { MetricsShape } from './agent-metrics-shape.ts';

async function served(metricsHost = '', left = Number.NaN) {
  const clock = new FakeClock();
  const metrics = new Metrics();
  metrics.observedGauge({ name: 'lictor_catalog_nodes', help: 'x' }, () => 3);
  metrics.observedGauge({ name: 'lictor_ca_active_root_expiry_seconds', help: 'x' }, () => left);
  metrics.counter({ name: 'lictor_writes_total', help: 'x', labels: ['result'] }).add(7, { result: 'ok' });
  metrics.histogram({ name: 'lictor_sync_seconds', help: 'x' }, [1]).observe(0.5);
  const timings = new RequestTimings({ clock });
  for (const [method, route, ms] of [
    ['GET', '/v1/health/service/:name', 2],
    ['PUT', '/v1/kv/:key', 4],
    ['DELETE', '/v1/kv/:key', 8],
  ] as const) {
    const start = timings.start();
    await clock.advance(ms);
    timings.record(method, route, start);
  }
  const [plain, stream] = agentMetricsRoutes({ metrics, clock, timings }, { datacenter: 'dc1', metricsHost });
  const ask = async (route: typeof plain, query = '', headers = {}, signal = new AbortController().signal) =>
    (await route!.handle({ query: new URLSearchParams(query), headers, signal } as RouteRequest)) as RouteResponse;
  return { clock, plain, stream, ask };
}

const named = <T extends { Name: string }>(list: readonly T[], name: string) =>
  list.filter(({ Name }) => Name === name);

describe('GET /v1/agent/metrics', () => {
  it('has the names that tools read from Consul, beside our own', async () => {
    const { plain, ask } = await served();
    const shape = (await ask(plain)).json as MetricsShape;
    expect(named(shape.Gauges, 'consul.state.nodes')).toEqual([
      { Name: 'consul.state.nodes', Labels: { datacenter: 'dc1' }, Value: 3 },
    ]);
    expect(named(shape.Gauges, 'lictor_catalog_nodes')[0]?.Value).toBe(3);
    expect(named(shape.Counters, 'consul.health.service.query')[0]).toMatchObject({ Count: 1, Sum: 1 });
    expect(named(shape.Counters, 'lictor_writes_total')[0]).toMatchObject({ Labels: { result: 'ok' }, Sum: 7 });
    const paths = named(shape.Samples, 'consul.api.http').map(({ Labels }) => Labels);
    expect(paths).toContainEqual({ method: 'PUT', path: 'v1_kv_' });
    expect(named(shape.Samples, 'consul.kvs.apply')).toEqual([
      expect.objectContaining({ Count: 2, Sum: 12, Min: 4, Max: 8, Mean: 6, Stddev: Math.sqrt(8), Rate: 1.2 }),
    ]);
    expect(named(shape.Samples, 'lictor_sync_seconds')[0]).toMatchObject({ Count: 1, Sum: 0.5 });
  });

  it('has the host in the names of gauges, as Consul has unless it is told otherwise', async () => {
    const { plain, ask } = await served('web-1.example');
    const { Gauges, Counters } = (await ask(plain)).json as MetricsShape;
    expect(Gauges.map(({ Name }) => Name)).toEqual(['consul.web-1.example.state.nodes', 'lictor_catalog_nodes']);
    expect(named(Counters, 'consul.health.service.query')).toHaveLength(1);
  });

  it('has the time that is left to the root of the mesh, and nothing while there is none', async () => {
    const names = ['consul.mesh.active-root-ca.expiry', 'consul.mesh.active-signing-ca.expiry'];
    for (const [left, values] of [
      [864_000, [864_000]],
      [Number.NaN, []],
    ] as const) {
      const { plain, ask } = await served('', left);
      const { Gauges } = (await ask(plain)).json as MetricsShape;
      for (const name of names) {
        expect(named(Gauges, name)).toEqual(
          values.map((Value) => ({ Name: name, Labels: { datacenter: 'dc1' }, Value })),
        );
      }
    }
  });

  it('gives the Prometheus text to who asks for it', async () => {
    const { plain, ask } = await served();
    expect((await ask(plain, 'format=prometheus')).text).toContain('lictor_catalog_nodes 3');
    const scrape = await ask(plain, '', { accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' });
    expect(scrape.headers).toEqual({ 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
  });

  it('streams one object for each interval', async () => {
    const { clock, stream, ask } = await served();
    const stop = new AbortController();
    const answer = await ask(stream, '', {}, stop.signal);
    const lines: string[] = [];
    for await (const chunk of answer.stream as Readable) {
      lines.push(String(chunk));
      if (lines.length === 2) stop.abort();
      void clock.advance(10_000);
    }
    expect(lines.map((line) => JSON.parse(line).Timestamp)).toHaveLength(2);
  });
});
