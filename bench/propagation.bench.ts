import { Resolver } from 'node:dns/promises';
import { Line, SHORT_LEASE } from '../test/e2e/line.ts';
import { createPod, deletePod, setPodReady } from '../test/support/kube/pods.ts';
import { InstanceServer } from '../test/support/processes/instance-server.ts';
import type { Figure } from './run.ts';

/**
 * How long a change takes until DNS shows it, with a real API server, and the operator, a server and a node's agent as
 * processes: the whole line that users wait for.
 */
const ROUNDS = process.argv.includes('--short') ? 3 : 9;
const BAR_MS = 1_000;
const PATIENCE_MS = 30_000;

const line = await Line.start();
try {
  const resolver = new Resolver({ timeout: 500, tries: 1 });
  resolver.setServers([`127.0.0.1:${line.server.dnsPort}`]);
  const addresses = async (name: string): Promise<string> => {
    try {
      return (await resolver.resolve4(`${name}.service.consul`)).sort().join(' ');
    } catch (error) {
      if (['ENOTFOUND', 'ENODATA'].includes((error as { code?: string }).code ?? '')) return '';
      throw error;
    }
  };
  /** Milliseconds from now until a question is answered as wanted. */
  const until = async (what: string, answered: () => Promise<boolean>): Promise<number> => {
    const start = performance.now();
    while (!(await answered())) {
      if (performance.now() - start > PATIENCE_MS) throw new Error(`not seen within ${PATIENCE_MS} ms: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return performance.now() - start;
  };
  const inDns = (name: string, ...expected: string[]) =>
    until(`${name} is [${expected}]`, async () => (await addresses(name)) === [...expected].sort().join(' '));

  const namespace = await line.kube.createNamespace('bench');
  const operator = await line.operator({ args: SHORT_LEASE });
  await line.declare(namespace, 'web');
  const pod = (name: string, ip: string, ready = true) =>
    createPod(line.kube, { namespace, name, ip, labels: { app: 'web' }, nodeName: 'node-1', ready });
  const took: Record<'ready' | 'unready' | 'deleted' | 'restart' | 'verdict' | 'status', number[]> = {
    ready: [],
    unready: [],
    deleted: [],
    restart: [],
    verdict: [],
    status: [],
  };
  for (let round = 0; round < ROUNDS; round++) {
    const pods = await Promise.all([1, 2, 3].map((at) => pod(`web-${round}-${at}`, `10.1.0.${at}`, false)));
    await Promise.all(pods.map((each) => setPodReady(line.kube, each, true)));
    took.ready.push(await inDns('web', '10.1.0.1', '10.1.0.2', '10.1.0.3'));
    await setPodReady(line.kube, pods[0]!, false);
    took.unready.push(await inDns('web', '10.1.0.2', '10.1.0.3'));
    await deletePod(line.kube, pods[1]!);
    took.deleted.push(await inDns('web', '10.1.0.3'));
    for (const each of [pods[0]!, pods[2]!]) await deletePod(line.kube, each);
    await inDns('web');
  }

  // Force-deleted while the operator is dead: gone once the new one has synced, from when it holds the lease.
  const victim = await pod('victim', '10.1.0.4');
  await pod('stays', '10.1.0.1');
  await inDns('web', '10.1.0.1', '10.1.0.4');
  await operator.kill();
  await deletePod(line.kube, victim);
  await operator.restart({ waitUntilReady: false });
  await until('the new operator leads', () => operator.isLeader().catch(() => false));
  took.restart.push(await inDns('web', '10.1.0.1'));

  // A check of a real HTTP server by the node's agent; the time runs from the probe that meets the change.
  const instance = await InstanceServer.start('checked');
  await line.agent('node-check');
  await createPod(line.kube, {
    namespace,
    name: 'checked',
    ip: '127.0.0.1',
    labels: { app: 'checked' },
    nodeName: 'node-check',
    ports: { http: instance.port },
  });
  await line.declare(namespace, 'checked');
  await line.declareCheck(namespace, 'checked', { http: { path: '/healthz' } });
  await inDns('checked', '127.0.0.1');
  for (let round = 0; round < ROUNDS; round++) {
    for (const healthy of [false, true]) {
      await instance.setHealth(healthy ? 200 : 503);
      const probes = await instance.probes();
      await until('the next probe', async () => (await instance.probes()) > probes);
      const toDns = await inDns('checked', ...(healthy ? ['127.0.0.1'] : []));
      took.verdict.push(toDns);
      took.status.push(
        toDns +
          (await until('both statuses say so', async () => {
            const service = await line.service(namespace, 'checked');
            const check = await line.healthCheck(namespace, 'checked');
            return service.status?.healthy === (healthy ? 1 : 0) && check.status?.passing === (healthy ? 1 : 0);
          })),
      );
    }
  }
  const worst = (list: number[]) => Math.max(...list);
  const figure = (name: string, list: number[]): Figure => ({
    name,
    value: worst(list),
    unit: 'ms',
    bar: BAR_MS,
    better: 'lower',
  });
  for (const one of [
    figure('readiness of 3 pods to DNS, worst', took.ready),
    figure('unready pod out of DNS, worst', took.unready),
    figure('deleted pod out of DNS, worst', took.deleted),
    figure('pod deleted while the operator was dead: out of DNS after the new one leads', took.restart),
    figure('verdict to DNS, worst', took.verdict),
    figure('verdict to both statuses, worst', took.status),
  ]) {
    console.log(JSON.stringify(one));
  }
  await instance.stop();
} finally {
  await line.stop();
}
