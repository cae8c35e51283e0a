import { InTurn } from '../../core/in-turn.ts';
import { silentLogger } from '../../core/log.ts';
import { type EnterAnswer, type EnteringDeps, enterRoute } from '../../lictor/managed-etcd/entering.ts';
import { JsonCalls } from '../../lictor/managed-etcd/json-calls.ts';
import { EtcdMembers } from '../../lictor/managed-etcd/members.ts';
import { CURRENT_ETCD, INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { BrokenNetwork, CAN_HAVE_NETWORK, NETWORK_NEEDS } from '../support/network/broken-network.ts';
import { describeReal } from '../support/require-real.ts';
import { routeRequest } from '../support/route-request.ts';

/** Of a server that has come while the last member was cut off; its etcd need not run to be listed. */
const NEW = { name: 'm9', peerUrl: 'http://10.9.9.9:2380', started: true };
const SOON = { withinMs: 60_000, everyMs: 200 };

for (const etcd of [INSTALLED_ETCD, CURRENT_ETCD]) {
  const isHere = CAN_HAVE_NETWORK && etcd.file !== undefined;
  const needs = `${etcd.install}; ${NETWORK_NEEDS}`;
  describeReal('etcd in a network of its own', isHere, needs, `a member of ${etcd.name} that lags`, () => {
    let network: BrokenNetwork;
    let cluster: EtcdCluster;
    let members: EtcdMembers;
    beforeAll(async () => {
      network = await BrokenNetwork.start(3);
      const places = [0, 1, 2].map((n) => network.place(n));
      // Else etcd adds nobody while one is cut off.
      const args = ['--pre-vote', '--strict-reconfig-check=false'];
      cluster = await EtcdCluster.start({ file: etcd.file!, members: 3, places, args });
      members = new EtcdMembers({ calls: new JsonCalls(undefined) }, cluster.url(2));
    }, 120_000);
    afterAll(async () => {
      await cluster?.stop();
      await network?.stop();
    });

    /** As the server beside the last member is asked. */
    const enter = async (): Promise<EnterAnswer> => {
      const deps: EnteringDeps = {
        log: silentLogger,
        formation: { card: () => ({ name: 'm2', state: 'formed' }) } as EnteringDeps['formation'],
        members,
        calls: new JsonCalls(undefined),
        membership: new InTurn(),
        server: () => undefined,
      };
      const request = routeRequest('PUT', '/', { body: Buffer.from(JSON.stringify(NEW)) });
      return ((await enterRoute(deps).handle(request)) as { json: EnterAnswer }).json;
    };
    const urls = async (settled: boolean) =>
      (await members.list({ settled })).members.flatMap(({ peerUrls }) => peerUrls);

    it('says of nobody that he is no member before it has caught up', async () => {
      await network.bothWays([2], [0, 1], { loss: 1 });
      const added = { peerURLs: [NEW.peerUrl], isLearner: true };
      await eventually(() => cluster.call('cluster/member/add', added, 0), SOON);
      expect(await urls(false)).not.toContain(NEW.peerUrl);
      await expect(enter()).rejects.toMatchObject({ code: 'unavailable' });
      await network.heal();
      expect(await eventually(() => urls(true), SOON)).toContain(NEW.peerUrl);
      // It is known as a learner, which cannot be promoted before it runs.
      await expect(enter()).rejects.toThrow(/member\/promote/);
    }, 180_000);
  });
}
