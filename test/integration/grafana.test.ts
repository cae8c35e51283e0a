import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CURRENT_ETCD, describeEtcd } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { startServer } from '../support/processes/lictor.ts';

const FILE = fileURLToPath(new URL('../../docs/grafana/lictor.json', import.meta.url));

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string; readonly refId: string }[];
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: string }[] };
}

const metricsOf = (text: string): string[] => text.match(/\blictor_[a-z0-9_]+/g) ?? [];

describeEtcd(CURRENT_ETCD, 'the Grafana dashboard', (file) => {
  it('asks for nothing but what a server exposes, and for variables that it has', async () => {
    const dashboard = JSON.parse(readFileSync(FILE, 'utf8')) as Dashboard;
    const cluster = await EtcdCluster.start({ file });
    const server = await startServer({ args: [`-etcd-endpoints=${cluster.endpoints.join(',')}`] });
    try {
      const text = await (await fetch(`${server.url}/v1/agent/metrics?format=prometheus`)).text();
      // `# TYPE name kind`; histograms have three series.
      const exposed = new Set(
        [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name, kind]) =>
          kind === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name!],
        ),
      );
      const panels = dashboard.panels.filter(({ type }) => type !== 'row');
      expect(panels.length).toBeGreaterThan(15);
      const variables = new Set(dashboard.templating.list.map(({ name }) => name));
      for (const { title, targets = [] } of panels) {
        expect([title, targets.length > 0]).toEqual([title, true]);
        for (const { expr } of targets) {
          const asked = metricsOf(expr);
          expect([title, asked.length > 0, asked.filter((name) => !exposed.has(name))]).toEqual([title, true, []]);
          for (const [, name] of expr.matchAll(/\$([a-z]\w*)/g)) expect(variables).toContain(name);
        }
      }
      for (const { query } of dashboard.templating.list) {
        for (const name of metricsOf(query)) expect(exposed).toContain(name);
      }
    } finally {
      await server.stop();
      await cluster.stop();
    }
  }, 120_000);

  it('has panels that do not lie over each other', () => {
    const { panels } = JSON.parse(readFileSync(FILE, 'utf8')) as Dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)}/${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(Math.max(...panels.map(({ gridPos: { x, w } }) => x + w))).toBeLessThanOrEqual(24);
  });
});
