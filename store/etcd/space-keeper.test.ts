import { FakeClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { SpaceKeeper } from './space-keeper.ts';

const MIB = 1024 * 1024;
const header = { clusterId: 1, memberId: 1, revision: 1 };
/** One member, whose file is full of what is in use, and which is about to have no room. */
const STATUS = { header, version: '3.6.0', dbSize: 80 * MIB, dbSizeInUse: 80 * MIB, dbSizeQuota: 100 * MIB, leader: 1 };

describe('the keeper of room in etcd', () => {
  it('compacts a revision once, and anew when etcd went back behind it', async () => {
    const compacted: number[] = [];
    let known = 0;
    const client = {
      targets: ['a:1'],
      statusOf: async () => STATUS,
      defragment: async () => ({ header }),
      alarms: async () => ({ header, alarms: [] }),
      disarm: async () => ({ header, alarms: [] }),
      compactPhysically: async (revision: number) => {
        compacted.push(revision);
        return { header };
      },
    };
    const keeper = new SpaceKeeper(
      { client, known: () => known, writer: () => true, clock: new FakeClock(), log: silentLogger },
      { everyMs: 30_000 },
    );
    for (known of [100, 100, 60, 60, 70]) await keeper.look(new AbortController().signal);
    expect(compacted).toEqual([100, 60, 70]);
  });
});
