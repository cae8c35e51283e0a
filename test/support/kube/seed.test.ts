import { describeKube } from './binaries.ts';
import { type Pod, setPodReady } from './pods.ts';
import { seedEtcd, seedPod } from './seed.ts';
import { type OwnKube, startKube } from './start-kube.ts';

describeKube('seedEtcd', () => {
  let kube: OwnKube;
  beforeAll(async () => {
    kube = await startKube();
  }, 120_000);
  afterAll(() => kube?.stop());

  it('puts a thousand pods that the API server lists, watches and changes like any other', async () => {
    const namespace = await kube.createNamespace('seeded');
    const pods = Array.from({ length: 1000 }, (_, at) =>
      seedPod({
        namespace,
        name: `pod-${at}`,
        labels: { app: 'web' },
        nodeName: 'node-1',
        ip: `10.1.${at >> 8}.${at & 255}`,
      }),
    );
    await seedEtcd(kube, pods);
    const list = await kube.api.get<{ items: Pod[] }>(`/api/v1/namespaces/${namespace}/pods?labelSelector=app%3Dweb`);
    expect(list.items).toHaveLength(1000);
    const changed = await setPodReady(kube, list.items[0]!, false);
    expect(changed.metadata.uid).toBe(list.items[0]!.metadata.uid);
    expect(changed.status.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'False' }));
  });
});
