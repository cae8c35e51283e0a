import { eventually } from '../support/eventually.ts';
import { describeKube } from '../support/kube/binaries.ts';
import type { FaultProxy } from '../support/kube/fault-proxy.ts';
import { createPod, deletePod, type Pod } from '../support/kube/pods.ts';
import { describeDig } from '../support/processes/dig.ts';
import type { OperatorProcess } from '../support/processes/lictor.ts';
import { Line, SHORT_LEASE, SOON } from './line.ts';
import { Witness } from './witness.ts';

/** Ten leases of 3 s. */
const PAUSE_MS = 30_000;

const LEASES = 'coordination.k8s.io/leases';

interface LeaseList {
  items: { metadata: { name: string }; spec: { holderIdentity?: string } }[];
}

describeKube('two operators', () => {
  describeDig('of one cluster', () => {
    let line: Line;
    let namespace: string;
    const operators: { process: OperatorProcess; proxy: FaultProxy }[] = [];
    const pods: Pod[] = [];

    async function leader(): Promise<{ process: OperatorProcess; proxy: FaultProxy }> {
      return eventually(async () => {
        const leading = await Promise.all(operators.map(({ process }) => process.isLeader()));
        if (leading.filter(Boolean).length !== 1) throw new Error(`${leading} lead`);
        return operators[leading.indexOf(true)]!;
      }, SOON);
    }

    beforeAll(async () => {
      line = await Line.start();
      namespace = await line.kube.createNamespace('shop');
      for (const name of ['operator-a', 'operator-b']) {
        const proxy = await line.proxy();
        operators.push({ proxy, process: await line.operator({ name, proxy, args: SHORT_LEASE }) });
      }
      await line.declare(namespace, 'web');
      for (const at of [1, 2, 3]) {
        pods.push(
          await createPod(line.kube, { namespace, name: `web-${at}`, ip: `10.1.0.${at}`, labels: { app: 'web' } }),
        );
      }
      await line.untilAddresses('web', ['10.1.0.1', '10.1.0.2', '10.1.0.3']);
      await line.untilStatus(namespace, 'web', 3, 3);
    }, 120_000);
    afterAll(() => line?.stop(), 30_000);

    it('have one leader, and only it writes', async () => {
      const leading = await leader();
      const standby = operators.find((each) => each !== leading)!;
      expect(standby.proxy.writes({ except: [LEASES] })).toEqual({});
      expect(leading.proxy.writes({ except: [LEASES] })).not.toEqual({});
    });

    it('change over when the leader is paused, and it does no harm when it goes on', async () => {
      const witness = new Witness(line.server, 'web');
      const paused = await leader();
      const other = operators.find((each) => each !== paused)!;
      const attempts = () => paused.process.metric('lictor_operator_catalog_writes_total');
      let briefUid = '';
      const attemptsBefore = await attempts();
      paused.process.pause();
      paused.proxy.resetCounts();
      const pausedAt = performance.now();
      try {
        await eventually(() => other.process.isLeader(), SOON);
        // The new leader works: one pod goes, one comes, while the old one still believes what it knew.
        await deletePod(line.kube, pods[0]!);
        pods.push(await createPod(line.kube, { namespace, name: 'web-4', ip: '10.1.0.4', labels: { app: 'web' } }));
        await line.untilAddresses('web', ['10.1.0.2', '10.1.0.3', '10.1.0.4']);
        // One that is there for a moment only: the old leader will hear of it when it is long gone.
        const brief = await createPod(line.kube, {
          namespace,
          name: 'web-brief',
          ip: '10.1.0.5',
          labels: { app: 'web' },
        });
        await eventually(async () => (await line.instances('web')).length === 4, SOON);
        briefUid = brief.metadata.uid;
        await deletePod(line.kube, brief);
        await line.untilAddresses('web', ['10.1.0.2', '10.1.0.3', '10.1.0.4']);
        await line.untilStatus(namespace, 'web', 3, 3);
        const left = PAUSE_MS - (performance.now() - pausedAt);
        if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
      } finally {
        paused.process.resume();
      }
      await eventually(async () => !(await paused.process.isLeader()), SOON);
      // Whatever it wrote late would show now.
      await new Promise((resolve) => setTimeout(resolve, 2000));
      expect(paused.process.process.running).toBe(true);
      expect(await line.addresses('web')).toEqual(['10.1.0.2', '10.1.0.3', '10.1.0.4']);
      expect(await other.process.isLeader()).toBe(true);
      expect(paused.proxy.writes({ except: [LEASES] })).toEqual({});
      expect(await attempts()).toBe(attemptsBefore);
      const { seen } = await witness.stop();
      const [, second, third] = pods;
      for (const { passing } of seen) for (const pod of [second!, third!]) expect(passing).toContain(pod.metadata.uid);
      // Each of the others came once or went once, and never again.
      expect(turns(seen.map(({ all }) => all.includes(pods[0]!.metadata.uid)))).toEqual([true, false]);
      expect(turns(seen.map(({ all }) => all.includes(pods[3]!.metadata.uid)))).toEqual([false, true]);
      expect(turns(seen.map(({ all }) => all.includes(briefUid)))).toEqual([false, true, false]);
    }, 120_000);

    it('change over at once when the leader ends in order', async () => {
      const first = await leader();
      const other = operators.find((each) => each !== first)!;
      const holder = async () => {
        const path = '/apis/coordination.k8s.io/v1/leases';
        const { items } = await line.kube.api.get<LeaseList>(path);
        // The API server holds leases of its own.
        return items.find(({ metadata }) => metadata.name === 'lictor-operator')!.spec.holderIdentity ?? '';
      };
      const before = await holder();
      expect(before).not.toBe('');
      await first.process.terminate();
      // Released before it ended, not waited for.
      expect(await holder()).not.toBe(before);
      await eventually(() => other.process.isLeader(), SOON);
      await deletePod(line.kube, pods[1]!);
      await line.untilAddresses('web', ['10.1.0.3', '10.1.0.4']);
    }, 60_000);
  });
});

/** The values in order, each run of equal ones once. */
function turns(values: readonly boolean[]): boolean[] {
  return values.filter((value, at) => at === 0 || value !== values[at - 1]);
}
