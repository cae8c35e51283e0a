import { join } from 'node:path';
import type { Service } from '../crds/types/index.ts';
import { writeKubeconfig } from '../test/support/kube/control-plane.ts';
import { FaultProxy } from '../test/support/kube/fault-proxy.ts';
import { type SeedObject, seedEtcd, seedPod } from '../test/support/kube/seed.ts';
import { type OwnKube, startKube } from '../test/support/kube/start-kube.ts';
import {
  type AgentProcess,
  type OperatorProcess,
  startOperator,
  startServer,
} from '../test/support/processes/lictor.ts';
import type { Figure } from './run.ts';

/**
 * A cluster of 2,000 Services with 5 pods each and an empty catalog: how long a new operator takes until the catalog has
 * all instances and every status says so, how much memory that takes, and what a second one writes that finds all done.
 */
const short = process.argv.includes('--short');
const SERVICES = short ? 200 : 2000;
const PODS_EACH = 5;
const NODES = 50;
const NAMESPACE = 'scale';
const LEASES = 'coordination.k8s.io/leases';

function figure(name: string, value: number, unit: string, bar: number | null): void {
  const line: Figure & { ok: boolean } = { name, value, unit, bar, better: 'lower', ok: bar === null || value <= bar };
  console.log(JSON.stringify(line));
}

function* cluster(): Generator<SeedObject> {
  for (let at = 0; at < SERVICES; at++) {
    const app = `app-${at}`;
    const spec = { selector: { matchLabels: { app } }, ports: [{ name: 'http', port: 'http' }] };
    const metadata = { namespace: NAMESPACE, name: app, generation: 1 };
    const object = { apiVersion: 'lictor.dev/v1alpha1', kind: 'Service', metadata, spec };
    yield { key: `lictor.dev/services/${NAMESPACE}/${app}`, object };
    for (let pod = 0; pod < PODS_EACH; pod++) {
      const number = at * PODS_EACH + pod;
      const ip = `10.${1 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
      yield seedPod({
        namespace: NAMESPACE,
        name: `${app}-${pod}`,
        labels: { app },
        nodeName: `node-${number % NODES}`,
        ip,
      });
    }
  }
}

interface ListOf<T> {
  items: T[];
}

/** Waits until every status says that all its instances are healthy. */
async function untilAllStatuses(kube: OwnKube, proxy: FaultProxy, operator: OperatorProcess): Promise<void> {
  const deadline = performance.now() + 300_000;
  for (;;) {
    if (!operator.process.running) throw new Error(`the operator ended:\n${operator.process.logTail()}`);
    // The list is dear: it is read only when enough statuses were written to be done.
    if ((proxy.counts()['PATCH lictor.dev/services/status'] ?? 0) >= SERVICES) {
      const path = `/apis/lictor.dev/v1alpha1/namespaces/${NAMESPACE}/services?resourceVersion=0`;
      const { items } = await kube.api.get<ListOf<Service>>(path);
      if (items.every(({ status }) => status?.healthy === PODS_EACH && status.total === PODS_EACH)) return;
    }
    if (performance.now() > deadline) throw new Error(`not all statuses within 300 s:\n${operator.process.logTail()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Waits until nothing more is written and no watch was opened for some time. */
async function untilQuiet(proxy: FaultProxy): Promise<void> {
  for (let last = ''; ; ) {
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const now = JSON.stringify(Object.entries(proxy.counts()).filter(([key]) => !key.endsWith(LEASES)));
    if (now === last) return;
    last = now;
  }
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((all, one) => all + one, 0);
}

async function measure(kube: OwnKube, proxy: FaultProxy, server: AgentProcess): Promise<void> {
  const kubeconfig = join(kube.place.folder, 'kubeconfig-proxy');
  writeKubeconfig(kubeconfig, { url: proxy.url, token: kube.token });
  const before = kube.apiserver.cpuSeconds();
  const started = performance.now();
  const operator = await startOperator({ kubeconfig, server, waitUntilReady: false });
  try {
    await untilAllStatuses(kube, proxy, operator);
    const seconds = (performance.now() - started) / 1000;
    const passing = await server.get<unknown[]>('/v1/health/state/passing');
    const names = Object.keys(await server.get<object>('/v1/catalog/services')).filter((name) =>
      name.startsWith('app-'),
    );
    if (names.length !== SERVICES || passing.length < SERVICES * PODS_EACH) {
      throw new Error(`the catalog has ${names.length} services and ${passing.length} passing checks`);
    }
    figure(
      `${SERVICES} Services x ${PODS_EACH}: cold to all in the catalog and in status`,
      seconds,
      's',
      Math.max(5, (30 * SERVICES) / 2000),
    );
    figure('operator CPU for it', operator.process.cpuSeconds(), 's', null);
    figure('server CPU for it', server.process.cpuSeconds(), 's', null);
    figure('API server CPU for it', kube.apiserver.cpuSeconds() - before, 's', null);
    figure(
      'status writes for each Service',
      (proxy.counts()['PATCH lictor.dev/services/status'] ?? 0) / SERVICES,
      'requests',
      null,
    );
    figure('operator memory, highest', operator.process.peakResidentBytes() / 1e6, 'MB', 200);

    // Once everything is done, a restart reads it all again and finds nothing to do.
    await untilQuiet(proxy);
    proxy.resetCounts();
    await operator.restart();
    await untilQuiet(proxy);
    if (!(proxy.counts()['GET pods']! > 0)) throw new Error('the restarted operator has not listed the pods');
    const writes = proxy.writes({ except: [LEASES] });
    if (sum(writes) > 0) console.error(writes);
    figure('writes to the API server of a resync without changes', sum(writes), 'requests', 0);
    figure('operator memory after a restart, highest', operator.process.peakResidentBytes() / 1e6, 'MB', 200);
  } finally {
    await operator.stop();
  }
}

const kube = await startKube();
try {
  await kube.installCrds();
  await kube.api.post('/api/v1/namespaces', { metadata: { name: NAMESPACE } });
  await seedEtcd(kube, [...cluster()]);
  const proxy = await FaultProxy.start(kube);
  const server = await startServer();
  try {
    await measure(kube, proxy, server);
  } finally {
    await Promise.all([proxy.stop(), server.stop()]);
  }
} finally {
  await kube.stop();
}
