import type { Service } from '../../crds/types/index.ts';
import { eventually } from '../support/eventually.ts';
import { describeKube } from '../support/kube/binaries.ts';
import { createCoreService, writeEndpointSlice } from '../support/kube/core-services.ts';
import { createPod, deletePod, labelPod, type Pod, setPodReady, terminatePod } from '../support/kube/pods.ts';
import { describeDig, dig } from '../support/processes/dig.ts';
import type { OperatorProcess } from '../support/processes/lictor.ts';
import { Line, SHORT_LEASE, SOON } from './line.ts';
import { Witness } from './witness.ts';

interface EventList {
  items: {
    type: string;
    reason: string;
    metadata: { resourceVersion: string };
    involvedObject: { apiVersion: string; kind: string; namespace: string; name: string };
  }[];
}

/** Kubernetes writes Events about its own Services, which may have the same names. */
function aboutOurs({ involvedObject: { apiVersion, kind } }: EventList['items'][number]): boolean {
  return apiVersion.startsWith('lictor.dev/') && kind === 'Service';
}

describeKube('from kubectl to dig', () => {
  describeDig('with a server and an operator', () => {
    let line: Line;
    let operator: OperatorProcess;
    let namespace: string;
    const pods: Pod[] = [];
    const pod = (at: number) => pods[at]!;
    const eventsOf = async (service: string) => {
      const { items } = await line.kube.api.get<EventList>(`/api/v1/namespaces/${namespace}/events`);
      const about = items.filter((event) => aboutOurs(event) && event.involvedObject.name === service);
      return about.map(({ type, reason }) => `${type} ${reason}`).sort();
    };
    const make = (name: string, ip: string) =>
      createPod(line.kube, { namespace, name, ip, labels: { app: 'web' }, nodeName: `node-${name.at(-1)}` });

    beforeAll(async () => {
      line = await Line.start();
      namespace = await line.kube.createNamespace('shop');
      operator = await line.operator({ args: SHORT_LEASE });
    }, 120_000);
    afterAll(() => line?.stop(), 30_000);

    it('finds three ready pods by name, with ports and nodes', async () => {
      await line.declare(namespace, 'web', { tags: ['v1'] });
      for (const at of [1, 2, 3]) pods.push(await make(`web-${at}`, `10.1.0.${at}`));
      await line.untilAddresses('web', ['10.1.0.1', '10.1.0.2', '10.1.0.3']);
      const srv = await dig(line.server.dnsPort, 'v1.web.service.consul', 'SRV', ['+tcp']);
      expect(srv.answer.map((record) => record.data.split(' ')[2])).toEqual(['8080', '8080', '8080']);
      expect(
        srv.additional
          .filter((record) => record.type === 'A')
          .map((record) => record.data)
          .sort(),
      ).toEqual(['10.1.0.1', '10.1.0.2', '10.1.0.3']);
      const nodes = (await line.instances('web')).map((entry) => entry.Node.Node).sort();
      expect(nodes).toEqual(['node-1', 'node-2', 'node-3']);
    });

    it('says the same in status and kubectl get', async () => {
      const service = await line.untilStatus(namespace, 'web', 3, 3);
      expect(service.status).toMatchObject({
        serviceName: 'web',
        omitted: 0,
        observedGeneration: service.metadata.generation,
      });
      expect(
        service.status?.endpoints?.map(({ address, port, status }) => `${address}:${port} ${status}`).sort(),
      ).toEqual(['10.1.0.1:8080 passing', '10.1.0.2:8080 passing', '10.1.0.3:8080 passing']);
      expect(service.status?.conditions).toContainEqual(
        expect.objectContaining({ type: 'Ready', status: 'True', reason: 'Registered' }),
      );
      const listed = await line.kube.kubectl(['get', 'lictor', '-n', namespace, '--no-headers']);
      expect(listed.stdout).toMatch(/web\s+web\s+3\s+3\s+True/);
    });

    it('leaves an unready pod out until it is ready again', async () => {
      await setPodReady(line.kube, pod(0), false);
      await line.untilAddresses('web', ['10.1.0.2', '10.1.0.3']);
      const service = await line.untilStatus(namespace, 'web', 2, 3);
      expect(service.status?.endpoints?.[0]).toMatchObject({ address: '10.1.0.1', status: 'critical' });
      await setPodReady(line.kube, pod(0), true);
      await line.untilAddresses('web', ['10.1.0.1', '10.1.0.2', '10.1.0.3']);
      await line.untilStatus(namespace, 'web', 3, 3);
    });

    it('drops a terminating pod from DNS at once and from the catalog when it is gone', async () => {
      await terminatePod(line.kube, pod(1));
      await line.untilAddresses('web', ['10.1.0.1', '10.1.0.3']);
      expect(await line.instances('web')).toHaveLength(3);
      await deletePod(line.kube, pod(1));
      await eventually(async () => (await line.instances('web')).length === 2, SOON);
      await line.untilStatus(namespace, 'web', 2, 2);
    });

    it('takes a pod of the same name with a new UID for another instance', async () => {
      pods[1] = await make('web-2', '10.1.0.2');
      await line.untilAddresses('web', ['10.1.0.1', '10.1.0.2', '10.1.0.3']);
      const idOf = async (ip: string) =>
        (await line.instances('web')).find(({ Service }) => Service.Address === ip)!.Service.ID;
      const before = await idOf('10.1.0.2');
      expect(before).toContain(pod(1).metadata.uid);
      await deletePod(line.kube, pod(1));
      pods[1] = await make('web-2', '10.1.0.2');
      await eventually(async () => (await idOf('10.1.0.2')) !== before, SOON);
      expect(await idOf('10.1.0.2')).toContain(pod(1).metadata.uid);
      await eventually(async () => (await line.instances('web')).length === 3, SOON);
    });

    it('follows labels: a pod that no longer matches moves out, and back in', async () => {
      await labelPod(line.kube, pod(2), { app: 'quarantine' });
      await line.untilAddresses('web', ['10.1.0.1', '10.1.0.2']);
      await eventually(async () => (await line.instances('web')).length === 2, SOON);
      await labelPod(line.kube, pod(2), { app: 'web' });
      await line.untilAddresses('web', ['10.1.0.1', '10.1.0.2', '10.1.0.3']);
    });

    it('drops a pod that was deleted by force while the operator was dead, and nothing else for a moment', async () => {
      const stays = (await line.instances('web'))
        .filter(({ Service }) => Service.Address !== '10.1.0.3')
        .map(({ Service }) => Service.ID);
      const witness = new Witness(line.server, 'web');
      await operator.kill();
      await deletePod(line.kube, pod(2));
      await operator.restart();
      await line.untilAddresses('web', ['10.1.0.1', '10.1.0.2']);
      await line.untilStatus(namespace, 'web', 2, 2);
      const { seen } = await witness.stop();
      for (const { passing } of seen) for (const id of stays) expect(passing).toContain(id);
      expect(seen.at(-1)!.all).toBe(stays.join(' '));
    });

    it('holds a sweep back that nobody was seen to ask for, says so, and does it when allowed', async () => {
      const bulk: Pod[] = [];
      await line.declare(namespace, 'bulk');
      for (let at = 1; at <= 14; at++) {
        bulk.push(await createPod(line.kube, { namespace, ip: `10.6.0.${at}`, labels: { app: 'bulk' } }));
      }
      await eventually(async () => (await line.instances('bulk')).length === 14, SOON);
      await operator.kill();
      for (const each of bulk) await deletePod(line.kube, each);
      await operator.restart();
      await eventually(async () => {
        const ready = (await line.service(namespace, 'bulk')).status?.conditions?.find(({ type }) => type === 'Ready');
        expect(ready).toMatchObject({ status: 'False', reason: 'SweepHeld' });
      }, SOON);
      expect(await line.instances('bulk')).toHaveLength(14);
      await eventually(async () => expect(await eventsOf('bulk')).toEqual(['Warning SweepHeld']), SOON);
      const allowed = ['annotate', 'lsvc', '-n', namespace, 'bulk', 'lictor.dev/allow-sweep=true'];
      expect((await line.kube.kubectl(allowed)).code).toBe(0);
      await eventually(async () => (await line.instances('bulk')).length === 0, SOON);
      await eventually(
        async () => expect(await eventsOf('bulk')).toEqual(['Normal NoInstances', 'Warning SweepHeld']),
        SOON,
      );
      // Events tell changes of Ready; pods that came and went changed none of web's.
      expect(await eventsOf('web')).toEqual([]);
    }, 60_000);

    it('offers the endpoints of a core Service by their slices', async () => {
      await createCoreService(line.kube, { namespace, name: 'db', ports: { sql: 5432 } });
      const slice = { namespace, service: 'db', ports: { sql: 5432 } };
      await writeEndpointSlice(line.kube, {
        ...slice,
        endpoints: [
          { ip: '10.2.0.1', nodeName: 'node-1' },
          { ip: '10.2.0.2', ready: false },
        ],
      });
      await line.declare(namespace, 'db', { kubernetesService: 'db', ports: [{ name: 'sql', port: 'sql' }] });
      await line.untilAddresses('db', ['10.2.0.1']);
      await writeEndpointSlice(line.kube, { ...slice, endpoints: [{ ip: '10.2.0.2' }] });
      await line.untilAddresses('db', ['10.2.0.2']);
      await line.untilStatus(namespace, 'db', 1, 1);
    });

    it('offers what runs outside the cluster', async () => {
      await line.declare(namespace, 'mail', {
        instances: [
          { address: '10.3.0.1', port: 25 },
          { address: '10.3.0.2', port: 25 },
        ],
      });
      await line.untilAddresses('mail', ['10.3.0.1', '10.3.0.2']);
    });

    it('refuses a second Service of the same name in words', async () => {
      const other = await line.kube.createNamespace('other');
      await createPod(line.kube, { namespace: other, ip: '10.4.0.1', labels: { app: 'web' } });
      await line.declare(other, 'web');
      const taken = await eventually(async () => {
        const found = (await line.service(other, 'web')).status?.conditions?.find(({ type }) => type === 'Ready');
        return found?.reason === 'NameTaken' && found;
      }, SOON);
      expect(taken).toMatchObject({ status: 'False' });
      expect(await line.addresses('web')).toEqual(['10.1.0.1', '10.1.0.2']);
    });

    it('says the same of every Service in DNS, status and Events', async () => {
      await eventually(async () => {
        const { items: services } = await line.kube.api.get<{ items: Service[] }>('/apis/lictor.dev/v1alpha1/services');
        expect(services.length).toBeGreaterThanOrEqual(5);
        const { items: events } = await line.kube.api.get<EventList>('/api/v1/events');
        for (const { metadata, status } of services) {
          const ready = status!.conditions!.find(({ type }) => type === 'Ready')!;
          const about = events
            .filter(aboutOurs)
            .filter(({ involvedObject: at }) => at.name === metadata.name && at.namespace === metadata.namespace)
            .sort((a, b) => Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion));
          // One that is well from the first moment on is no news.
          const said = about.at(-1) ?? { type: 'Normal', reason: ready.reason };
          expect({ of: metadata.name, type: said.type, reason: said.reason }).toEqual({
            of: metadata.name,
            type: ready.status === 'True' ? 'Normal' : 'Warning',
            reason: ready.reason,
          });
          if (ready.reason !== 'NameTaken')
            expect(await line.addresses(status!.serviceName!)).toHaveLength(status!.healthy!);
        }
      }, SOON);
    }, 30_000);

    it('forgets a Service that is deleted', async () => {
      await line.kube.kubectl(['delete', 'lsvc', '-n', namespace, 'mail']);
      await line.untilAddresses('mail', []);
      await eventually(async () => !('mail' in (await line.server.get<object>('/v1/catalog/services'))), SOON);
    });

    it('ends in order when told to', async () => {
      await operator.terminate();
      expect(operator.log()).not.toMatch(/unhandled/i);
    }, 30_000);
  });
});
