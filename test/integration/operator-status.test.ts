import { readFileSync } from 'node:fs';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { SeededRandom } from '../../core/random.ts';
import { ObjectCache } from '../../operator/informer/object-cache.ts';
import { HttpKubeApi } from '../../operator/kube-api/http-kube-api.ts';
import type { KubeObject } from '../../operator/kube-api/kube-api.ts';
import { SERVICES } from '../../operator/kube-api/resources.ts';
import { KubeStatusSink } from '../../operator/status/kube-status-sink.ts';
import type { WithStatus } from '../../operator/status/status-writer.ts';
import { describeKube } from '../support/kube/binaries.ts';
import type { Kube } from '../support/kube/kube.ts';
import { grantOperatorRights } from '../support/kube/operator-rights.ts';
import { sharedKube } from '../support/kube/shared-kube.ts';

const STATUS = { healthy: 0, total: 0 };

describeKube('statuses on a real API server, with the rights of an operator', () => {
  let kube: Kube;
  let namespace: string;
  let api: HttpKubeApi;

  beforeAll(async () => {
    kube = await sharedKube();
    await kube.installCrds();
    namespace = await kube.createNamespace('statuses');
    const { token } = await grantOperatorRights(kube);
    const server = {
      server: kube.url,
      headers: { authorization: `Bearer ${token}` },
      tls: { ca: readFileSync(kube.caFile) },
    };
    const clock = new SystemClock();
    api = new HttpKubeApi({ auth: { credentials: async () => server }, clock, random: new SeededRandom(1) });
  }, 180_000);
  afterAll(async () => {
    await api?.close();
    await kube?.stop();
  });

  const declare = (name: string, port: number) =>
    kube.apply({
      apiVersion: 'lictor.dev/v1alpha1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: { instances: [{ address: '10.0.0.1', port }] },
    });

  it('are written to what is there once a conflict showed that the local copy is old', async () => {
    for (const name of ['web', 'other']) await declare(name, 80);
    const cache = new ObjectCache<WithStatus>({ log: silentLogger }, { kind: 'Service' });
    cache.put((await api.readObject(SERVICES, { namespace, name: 'web' }))!, 'relist');
    const told: unknown[] = [];
    cache.subscribe((key, old, current, cause) => {
      told.push([key, old?.metadata.generation, current?.metadata.generation, cause]);
    });
    const take = {
      offer: (object: KubeObject) => cache.offer(object),
      renew: (object: KubeObject) => cache.renew(object),
    };
    const sink = new KubeStatusSink({ api, targets: { Service: { resource: SERVICES, ...take } } });
    await declare('web', 81); // and no watch tells
    const key = `${namespace}/web`;
    await expect(sink.write(cache.get(key)!, STATUS)).rejects.toMatchObject({ code: 'conflict' });
    expect(told).toEqual([[key, 1, 2, 'watch']]);
    await sink.write(cache.get(key)!, STATUS);
    expect((await api.readObject(SERVICES, { namespace, name: 'web' })) as WithStatus).toMatchObject({
      status: STATUS,
    });
    expect(cache.get(key)).toMatchObject({ status: STATUS });
  });

  it('are read as absent only when the API server says that there is none', async () => {
    expect(await api.readObject(SERVICES, { namespace, name: 'nobody' })).toBeUndefined();
    const unknown = { ...SERVICES, plural: 'serviced' };
    await expect(api.readObject(unknown, { namespace, name: 'web' })).rejects.toMatchObject({
      code: 'permissionDenied',
    });
  });
});
