import { basename } from 'node:path';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { SystemRandom } from '../../core/random.ts';
import { CURRENT_ETCD, describeEtcd, INSTALLED_ETCD } from '../../test/support/etcd/binaries.ts';
import { EtcdCluster } from '../../test/support/etcd/etcd-cluster.ts';
import { describeStore } from '../contract/describe-store.ts';
import { openEtcdStore } from './open-etcd-store.ts';

// A store's folder is a prefix of one etcd, so that the stores are also tenants beside each other.
describe.each([INSTALLED_ETCD, CURRENT_ETCD])('$name', (binary) => {
  describeEtcd(binary, 'of this machine', (file) => {
    let etcd: EtcdCluster;
    beforeAll(async () => {
      etcd = await EtcdCluster.start({ file });
    }, 120_000);
    afterAll(() => etcd.stop());

    describeStore('etcd', ({ dir, limits, history }) =>
      openEtcdStore({
        endpoints: etcd.endpoints,
        prefix: `${basename(dir)}/`,
        clock: new SystemClock(),
        log: silentLogger,
        random: new SystemRandom(),
        ...(limits ? { limits } : {}),
        ...(history ? { history } : {}),
      }),
    );
  });
});
