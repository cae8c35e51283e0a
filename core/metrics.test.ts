import { Metrics } from './metrics.ts';

describe('metrics', () => {
  it('writes counters, gauges and histograms in the Prometheus text format', async () => {
    const metrics = new Metrics();
    metrics.counter({ name: 'lictor_test_total', help: 'a', labels: ['code'] }).add(2, { code: 'x' });
    metrics.gauge({ name: 'lictor_test_size', help: 'b' }).set(7);
    metrics.histogram({ name: 'lictor_test_seconds', help: 'c' }, [0.1, 1]).observe(0.5);
    const text = await metrics.text();
    expect(text).toContain('lictor_test_total{code="x"} 2');
    expect(text).toContain('lictor_test_size 7');
    expect(text).toContain('lictor_test_seconds_bucket{le="1"} 1');
  });

  it('gives the same metric when asked twice', async () => {
    const metrics = new Metrics();
    for (let i = 0; i < 3; i++) metrics.counter({ name: 'lictor_test_total', help: 'a' }).add();
    expect(await metrics.text()).toContain('lictor_test_total 3');
  });
});
