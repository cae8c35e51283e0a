import { existsSync } from 'node:fs';
import { describeKube } from './binaries.ts';
import { createCoreService, writeEndpointSlice } from './core-services.ts';
import type { Kube } from './kube.ts';
import { deleteNamespace } from './namespaces.ts';
import { createPod, deletePod, exists, labelPod, setPodReady, terminatePod } from './pods.ts';
import { sharedKube } from './shared-kube.ts';

describeKube('objects without a kubelet or a controller manager', () => {
  let kube: Kube;
  let namespace: string;
  beforeAll(async () => {
    kube = await sharedKube();
    namespace = await kube.createNamespace('objects');
  }, 120_000);
  afterAll(() => kube.stop());

  it('are shared: a second caller finds the same server', async () => {
    const again = await sharedKube();
    expect(again.url).toBe(kube.url);
    expect(existsSync(again.kubeconfigPath)).toBe(true);
  });

  it('are pods with an address and a readiness that the test turns', async () => {
    const pod = await createPod(kube, { namespace, name: 'web-1', labels: { app: 'web' }, ip: '10.1.2.3' });
    expect(pod.status).toMatchObject({ phase: 'Running', podIP: '10.1.2.3' });
    const ready = async () => (await kube.kubectl(['get', 'pod', '-n', namespace, 'web-1', '--no-headers'])).stdout;
    expect(await ready()).toMatch(/web-1\s+1\/1\s+Running/);
    await setPodReady(kube, pod, false);
    expect(await ready()).toMatch(/web-1\s+0\/1\s+Running/);
    expect((await labelPod(kube, pod, { app: null, tier: 'x' })).metadata.labels).toEqual({ tier: 'x' });
    await terminatePod(kube, pod);
    expect(await ready()).toMatch(/Terminating/);
    await deletePod(kube, pod);
    const path = `/api/v1/namespaces/${namespace}/pods/web-1`;
    expect(await exists(kube, path)).toBe(false);
    const next = await createPod(kube, { namespace, name: 'web-1' });
    expect(next.metadata.uid).not.toBe(pod.metadata.uid);
  });

  it('are slices of a core Service that can be written again', async () => {
    await createCoreService(kube, { namespace, name: 'db', ports: { sql: 5432 } });
    const slice = { namespace, service: 'db', ports: { sql: 5432 } };
    await writeEndpointSlice(kube, {
      ...slice,
      endpoints: [
        { ip: '10.9.0.1', nodeName: 'node-1' },
        { ip: '10.9.0.2', ready: false },
      ],
    });
    await writeEndpointSlice(kube, { ...slice, endpoints: [{ ip: '10.9.0.2' }] });
    const path = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices/db-1`;
    const now = await kube.api.get<{ endpoints: { addresses: string[] }[] }>(path);
    expect(now.endpoints.map((endpoint) => endpoint.addresses[0])).toEqual(['10.9.0.2']);
  });

  it('go with their namespace, and a finalizer that nobody lifts is named', async () => {
    const config = { metadata: { name: 'held', finalizers: ['example.org/held'] }, data: {} };
    await kube.api.post(`/api/v1/namespaces/${namespace}/configmaps`, config);
    await expect(deleteNamespace(kube, namespace, { withinMs: 1 })).rejects.toThrow(
      `namespace ${namespace} still holds configmaps/held (finalizers: example.org/held)`,
    );
    await kube.api.patch(`/api/v1/namespaces/${namespace}/configmaps/held`, { metadata: { finalizers: null } });
    await deleteNamespace(kube, namespace, { withinMs: 10_000 });
    expect(await exists(kube, `/api/v1/namespaces/${namespace}`)).toBe(false);
  });
});
