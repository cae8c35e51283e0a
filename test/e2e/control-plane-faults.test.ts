import { eventually } from '../support/eventually.ts';
import { describeKube } from '../support/kube/binaries.ts';
import type { FaultProxy } from '../support/kube/fault-proxy.ts';
import { createPod, deletePod, type Pod, setPodReady } from '../support/kube/pods.ts';
import { describeDig } from '../support/processes/dig.ts';
import type { OperatorProcess } from '../support/processes/lictor.ts';
import { Line, SOON } from './line.ts';
import { Witness } from './witness.ts';

const LEASES = 'coordination.k8s.io/leases';

describeKube('a control plane in trouble', () => {
  describeDig('harms no instance', () => {
    let line: Line;
    let operator: OperatorProcess;
    let proxy: FaultProxy;
    let namespace: string;
    let pid: number;
    let nextIp = 1;
    /** Pods that no test touches: they must be seen passing at every moment. */
    const steady: Pod[] = [];
    /** The one that each test deletes, and the one that comes instead. */
    let moving: Pod;

    const make = (name: string) =>
      createPod(line.kube, { namespace, name, ip: `10.1.0.${nextIp++}`, labels: { app: 'web' } });

    beforeAll(async () => {
      line = await Line.start();
      proxy = await line.proxy();
      namespace = await line.kube.createNamespace('shop');
      operator = await line.operator({ proxy });
      pid = operator.process.pid;
      await line.declare(namespace, 'web');
      steady.push(await make('web-a'), await make('web-b'));
      moving = await make('web-moving');
      await eventually(async () => (await line.instances('web', '?passing')).length === 3, SOON);
    }, 120_000);
    afterAll(() => line?.stop(), 30_000);

    /** Waits until nothing but leases was written for longer than a status may be held back. */
    async function untilQuiet(): Promise<void> {
      for (let last = ''; ; ) {
        await new Promise((resolve) => setTimeout(resolve, 1500));
        const now = JSON.stringify(proxy.writes({ except: [LEASES] }));
        if (now === last) return;
        last = now;
      }
    }

    /**
     * Runs `fault` while a client watches, lets `change` happen, then holds that the change arrives, that no steady
     * instance was ever missed and none ever doubled, and that the operator is still the same process.
     */
    async function under(fault: (change: () => Promise<void>) => Promise<void>, withinMs = 20_000): Promise<void> {
      const witness = new Witness(line.server, 'web');
      const old = moving;
      await fault(async () => {
        await deletePod(line.kube, old);
        moving = await make('web-moving');
      });
      const expected = [...steady, moving].map((pod) => pod.metadata.uid);
      await eventually(
        async () => {
          const ids = (await line.instances('web', '?passing')).map(({ Service }) => Service.ID);
          if (ids.length === 3 && expected.every((uid) => ids.some((id) => id.includes(uid)))) return;
          throw new Error(`passing are ${ids}, not those of ${expected}`);
        },
        { withinMs },
      );
      const { seen } = await witness.stop();
      for (const { passing, all } of seen) {
        for (const pod of steady) expect(passing).toContain(pod.metadata.uid);
        const ids = all.split(' ');
        expect(new Set(ids).size).toBe(ids.length);
      }
      // Once gone, the old pod never came back.
      const shown = seen.map(({ all }) => all.includes(old.metadata.uid));
      expect(shown.lastIndexOf(true)).toBeLessThan(shown.indexOf(false));
      await proxy.heal();
      expect(operator.process.pid).toBe(pid);
      expect(operator.process.running).toBe(true);
      expect(operator.log()).not.toMatch(/unhandled/i);
      await line.untilStatus(namespace, 'web', 3, 3);
    }

    /** Watch events that the operator found to be old. */
    const ignored = () => operator.metric('lictor_operator_informer_ignored_total', '{resource="pods"}');

    /** Waits until as many watches are open after `cut` as were before. */
    async function reopened(cut: () => void): Promise<void> {
      const before = proxy.openWatches;
      cut();
      await eventually(() => proxy.openWatches >= before, SOON);
    }

    it('watches cut every second', async () => {
      proxy.resetCounts();
      await under(async (change) => {
        proxy.cutWatchesEvery(1000);
        await new Promise((resolve) => setTimeout(resolve, 2500));
        await change();
        await new Promise((resolve) => setTimeout(resolve, 1500));
      });
      expect(proxy.counts()['WATCH pods']).toBeGreaterThan(2);
    }, 60_000);

    it('answers in pieces of a few bytes', async () => {
      await under(async (change) => {
        proxy.splitBytes(7);
        proxy.cutWatches();
        await change();
      });
    }, 60_000);

    it('old objects replayed in watches', async () => {
      const before = await ignored();
      await under(async (change) => {
        proxy.replayOldObjects(2);
        await reopened(() => proxy.cutWatches());
        await change();
        await setPodReady(line.kube, moving, false);
        await setPodReady(line.kube, moving, true);
        await eventually(async () => (await ignored()) > before, SOON);
      });
    }, 60_000);

    it('lists that are older than what was seen before, from a time without any instance', async () => {
      await under(async (change) => {
        proxy.serveStaleLists(6);
        proxy.resetCounts();
        proxy.expireWatches(4);
        await eventually(() => (proxy.counts()['GET pods'] ?? 0) >= 2, SOON);
        await change();
      });
    }, 60_000);

    it('answers delayed by 5 s', async () => {
      await under(async (change) => {
        proxy.delayAnswers(5000);
        proxy.cutWatches();
        await change();
      }, 45_000);
    }, 90_000);

    it('the history compacted while nobody listens: the watch gets 410', async () => {
      await under(async (change) => {
        await proxy.refuse();
        await change();
        await line.kube.compact();
        await line.kube.killApiserver();
        await line.kube.startApiserver();
        proxy.resetCounts();
        await proxy.accept();
      }, 45_000);
      // It listed again, since the watch could not be resumed.
      expect(proxy.counts()['GET pods']).toBeGreaterThan(0);
    }, 120_000);

    it('the API server stopped for 20 s', async () => {
      await under(async (change) => {
        await proxy.refuse();
        await change();
        await line.kube.killApiserver();
        await new Promise((resolve) => setTimeout(resolve, 20_000));
        await line.kube.startApiserver();
        await proxy.accept();
      }, 60_000);
    }, 150_000);

    it('and makes it write nothing when everything is read again and nothing has changed', async () => {
      await untilQuiet();
      proxy.resetCounts();
      // One kind of watch that opens twice uses up the turn of another: then once more.
      await eventually(
        () => {
          if ((proxy.counts()['GET pods'] ?? 0) > 0) return true;
          proxy.expireWatches(proxy.openWatches);
          return false;
        },
        { withinMs: 60_000, everyMs: 3000 },
      );
      await untilQuiet();
      expect(proxy.writes({ except: [LEASES] })).toEqual({});
    }, 120_000);

    it('and one that sees only a part of it deletes nothing, even when it is new', async () => {
      const all = await line.instances('web');
      proxy.fail('GET pods', 500);
      await operator.terminate();
      await operator.restart({ waitUntilReady: false });
      await eventually(() => operator.isLeader(), SOON);
      await new Promise((resolve) => setTimeout(resolve, 2000));
      expect((await line.instances('web')).map(({ Service }) => Service.ID)).toEqual(
        all.map(({ Service }) => Service.ID),
      );
      await deletePod(line.kube, moving);
      await proxy.heal();
      await eventually(async () => (await line.instances('web')).length === 2, { withinMs: 30_000 });
      await line.untilStatus(namespace, 'web', 2, 2);
    }, 90_000);
  });
});
