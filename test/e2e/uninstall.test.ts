import { eventually } from '../support/eventually.ts';
import { describeKube } from '../support/kube/binaries.ts';
import { deleteNamespace } from '../support/kube/namespaces.ts';
import { createPod, exists } from '../support/kube/pods.ts';
import { describeDig } from '../support/processes/dig.ts';
import type { OperatorProcess } from '../support/processes/lictor.ts';
import { checksPath, intentionsPath, Line, SHORT_LEASE, SOON, servicesPath } from './line.ts';

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const CRD_NAMES = ['services.lictor.dev', 'healthchecks.lictor.dev', 'intentions.lictor.dev'];

describeKube('uninstalling', () => {
  describeDig('with the operator dead', () => {
    let line: Line;
    let operator: OperatorProcess;
    beforeAll(async () => {
      line = await Line.start();
      operator = await line.operator({ args: SHORT_LEASE });
    }, 120_000);
    afterAll(() => line?.stop(), 30_000);

    const intentions = async () => {
      const entries = await line.server.get<{ Name: string }[]>('/v1/config/service-intentions');
      return entries.map(({ Name }) => Name);
    };

    const steps: Record<string, (namespace: string) => Promise<void>> = {
      objects: async (namespace) => {
        for (const path of [servicesPath, checksPath, intentionsPath].map((of) => `${of(namespace)}/web`)) {
          await line.kube.api.delete(path);
          await eventually(async () => !(await exists(line.kube, path)), SOON);
        }
      },
      namespace: (namespace) => deleteNamespace(line.kube, namespace, SOON),
      crds: async () => {
        for (const name of CRD_NAMES) await line.kube.api.delete(`${CRDS}/${name}`);
        for (const name of CRD_NAMES) await eventually(async () => !(await exists(line.kube, `${CRDS}/${name}`)), SOON);
      },
    };

    it.each([
      ['objects', 'namespace', 'crds'],
      ['objects', 'crds', 'namespace'],
      ['namespace', 'objects', 'crds'],
      ['namespace', 'crds', 'objects'],
      ['crds', 'objects', 'namespace'],
      ['crds', 'namespace', 'objects'],
    ])(
      'nothing hangs: first the %s, then the %s, then the %s',
      async (...order) => {
        await line.kube.installCrds();
        if (!operator.process.running) await operator.restart();
        const namespace = await line.kube.createNamespace('shop');
        await line.declare(namespace, 'web');
        await line.declareCheck(namespace, 'web', { tcp: {} });
        await createPod(line.kube, { namespace, ip: '10.1.0.1', labels: { app: 'web' } });
        await eventually(async () => (await line.instances('web')).length === 1, SOON);
        await line.kube.api.post(intentionsPath(namespace), {
          apiVersion: 'lictor.dev/v1alpha1',
          kind: 'Intention',
          metadata: { name: 'web' },
          spec: { destination: { service: 'web' }, sources: [{ service: '*', action: 'deny' }] },
        });
        await eventually(async () => expect(await intentions()).toEqual(['web']), SOON);
        await operator.kill();
        for (const step of order) await steps[step]!(namespace);
        // Installed again and started again, the operator finds what is gone and lets go of it.
        await line.kube.installCrds();
        await operator.restart();
        await eventually(async () => (await line.instances('web')).length === 0, SOON);
        await eventually(async () => expect(await intentions()).toEqual([]), SOON);
      },
      90_000,
    );

    it('an operator that finds no CRDs waits for them and deletes nothing', async () => {
      const namespace = await line.kube.createNamespace('shop');
      await line.declare(namespace, 'kept');
      await createPod(line.kube, { namespace, ip: '10.1.0.9', labels: { app: 'kept' } });
      await line.untilAddresses('kept', ['10.1.0.9']);
      await operator.kill();
      await steps.crds!(namespace);
      await operator.restart({ waitUntilReady: false });
      await new Promise((resolve) => setTimeout(resolve, 3000));
      expect(operator.process.running).toBe(true);
      expect(await line.addresses('kept')).toEqual(['10.1.0.9']);
      await line.kube.installCrds();
      await line.declare(namespace, 'late', { instances: [{ address: '10.5.0.1', port: 1 }] });
      await line.untilAddresses('late', ['10.5.0.1']);
      await line.untilAddresses('kept', []);
    }, 90_000);
  });
});
