import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { SystemRandom } from '../../core/random.ts';
import { content, put, write } from '../../store/contract/shorthand.ts';
import type { EtcdStore } from '../../store/etcd/etcd-store.ts';
import type { EtcdTls } from '../../store/etcd/member-connections.ts';
import { openEtcdStore } from '../../store/etcd/open-etcd-store.ts';
import { CURRENT_ETCD, describeEtcd } from '../support/etcd/binaries.ts';
import { etcdTlsArgs, type Pair, TestAuthority } from '../support/etcd/certificates.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

describeEtcd(CURRENT_ETCD, 'etcd behind TLS', (file) => {
  let ours: TestAuthority;
  let theirs: TestAuthority;
  let client: Pair;
  const folder = tempFolder('etcd-tls');
  const clusters: EtcdCluster[] = [];
  beforeAll(async () => {
    [ours, theirs] = [await TestAuthority.make('ours'), await TestAuthority.make('theirs')];
    client = await ours.issue();
  });
  afterEach(async () => {
    await Promise.all(clusters.splice(0).map((cluster) => cluster.stop()));
  });
  afterAll(() => removeFolder(folder));

  const start = async (server: Pair): Promise<EtcdCluster> => {
    const cluster = await EtcdCluster.start({ file, scheme: 'https', args: etcdTlsArgs(folder, server, ours.ca) });
    clusters.push(cluster);
    return cluster;
  };
  const open = (endpoints: readonly string[], tls: EtcdTls, readMs: number): Promise<EtcdStore> =>
    openEtcdStore({
      endpoints,
      tls,
      clock: new SystemClock(),
      log: silentLogger,
      random: new SystemRandom(),
      timeouts: { readMs, commitMs: 30_000 },
    });
  /** Until etcd listens, a refusal tells nothing of certificates. */
  const refusal = (endpoints: readonly string[], tls: EtcdTls): Promise<string> =>
    eventually(
      async () => {
        const error = await open(endpoints, tls, 1500).catch((cause: Error & { code: string }) => cause);
        if (!(error instanceof Error)) throw new Error('it was accepted');
        if (/ECONNREFUSED/.test(error.message)) throw error;
        expect(error.code).toBe('unavailable');
        return error.message;
      },
      { withinMs: 60_000 },
    );

  it('works with the right certificates', async () => {
    const cluster = await start(await ours.issue());
    const store = await open(cluster.endpoints, { ca: ours.ca, ...client }, 60_000);
    await write(store, put('a', '1'));
    expect(await content(store)).toEqual(['a=1']);
    await store.close();
  }, 120_000);

  it('goes on with renewed certificates while it runs, also of another authority', async () => {
    const cluster = await start(await ours.issue());
    const store = await open(cluster.endpoints, { ca: ours.ca, ...client }, 60_000);
    await write(store, put('a', '1'));
    store.renewTls({ ca: ours.ca, ...(await ours.issue()) });
    await write(store, put('b', '1'));
    // Etcd is moved to the other authority: with the old certificates nothing goes through any more.
    etcdTlsArgs(folder, await theirs.issue(), theirs.ca);
    await cluster.kill();
    store.renewTls({ ca: theirs.ca, ...(await theirs.issue()) });
    await cluster.restart();
    await eventually(() => write(store, put('c', '1')), { withinMs: 60_000 });
    expect(await content(store)).toEqual(['a=1', 'b=1', 'c=1']);
    await store.close();
  }, 120_000);

  it('works for a certificate of another name that was configured', async () => {
    const cluster = await start(await ours.issue({ dns: 'etcd.example.org' }));
    const store = await open(cluster.endpoints, { ca: ours.ca, serverName: 'etcd.example.org', ...client }, 60_000);
    await write(store, put('a', '1'));
    await store.close();
  }, 120_000);

  it.each([
    [
      'etcd’s certificate is of another authority',
      () => theirs.issue(),
      () => ({ ca: ours.ca, ...client }),
      /unable to verify|self.signed|issuer/i,
    ],
    [
      'etcd’s certificate has expired',
      () => ours.issue({ expired: true }),
      () => ({ ca: ours.ca, ...client }),
      /certificate has expired.*; renew the certificate of this etcd member/,
    ],
    [
      'etcd’s certificate is for another address',
      () => ours.issue({ ip: '10.9.9.9' }),
      () => ({ ca: ours.ca, ...client }),
      /does not match|not in the cert/,
    ],
    [
      'etcd asks for a certificate that is not given',
      () => ours.issue(),
      () => ({ ca: ours.ca }),
      /alert|certificate|ECONNRESET|closed|dropped/i,
    ],
  ])(
    'is refused naming the reason when %s',
    async (_, server, tls, reason) => {
      const cluster = await start(await server());
      const message = await refusal(cluster.endpoints, tls());
      expect(message).toMatch(/Range at etcd 127\.0\.0\.1:\d+/);
      expect(message).toMatch(reason);
    },
    120_000,
  );

  it('is refused when the own certificate is of another authority, or has expired', async () => {
    const cluster = await start(await ours.issue());
    for (const pair of [await theirs.issue(), await ours.issue({ expired: true })]) {
      expect(await refusal(cluster.endpoints, { ca: ours.ca, ...pair })).toMatch(
        /alert|certificate|ECONNRESET|closed|dropped/i,
      );
    }
  }, 120_000);
});
