import {
  dueForDefragmentation,
  hasRoom,
  isNearQuota,
  leaderLast,
  mayDefragment,
  wantsDefragmentation,
} from './space-rules.ts';

const MIB = 1024 * 1024;
const sizes = (dbSize: number, dbSizeInUse: number, dbSizeQuota = 0) => ({
  dbSize: dbSize * MIB,
  dbSizeInUse: dbSizeInUse * MIB,
  dbSizeQuota: dbSizeQuota * MIB,
});

describe('the room in etcd', () => {
  it.each([
    ['much and most of it is free', sizes(600, 200), true],
    ['much is free, but not most', sizes(2000, 1200), false],
    ['most is free, but that is little', sizes(100, 10), false],
    ['the quota is near and a good part is free', sizes(80, 50, 100), true],
    ['the quota is near and little is free', sizes(80, 70, 100), false],
    ['the quota is far', sizes(50, 10, 100), false],
  ])('is made by giving pages back: %s: %#', (_, given, expected) => {
    expect(wantsDefragmentation(given)).toBe(expected);
  });

  it('is short when the file comes near a known quota', () => {
    expect(isNearQuota(sizes(80, 10, 100))).toBe(true);
    expect(isNearQuota(sizes(70, 70, 100))).toBe(false);
    expect(isNearQuota(sizes(90, 80))).toBe(false);
  });

  it('is there again well below the quota', () => {
    expect(hasRoom(sizes(89, 1, 100))).toBe(true);
    expect(hasRoom(sizes(91, 1, 100))).toBe(false);
    expect(hasRoom(sizes(91, 1))).toBe(true);
  });
});

describe('a member may pause', () => {
  it.each([
    ['all answer and agree on the leader', [7, 7, 7], 3, true],
    ['one does not answer', [7, 7], 3, false],
    ['one knows no leader', [7, 7, 0], 3, false],
    ['none knows a leader', [0], 1, false],
    ['it is alone', [7], 1, true],
  ])('when %s: %#', (_, leaders, endpoints, expected) => {
    expect(
      mayDefragment(
        leaders.map((leader) => ({ leader })),
        endpoints,
      ),
    ).toBe(expected);
  });
});

describe('the order', () => {
  const member = (memberId: number, dbSize: number, dbSizeInUse: number) => ({
    status: { ...sizes(dbSize, dbSizeInUse, 100), header: { clusterId: 1, memberId, revision: 1 }, leader: 1 },
  });
  const ids = (members: { status: { header: { memberId: number } } }[]) =>
    members.map(({ status }) => status.header.memberId);

  it('has the leader last, after all whose files are about as large', () => {
    const due = (...members: ReturnType<typeof member>[]) => ids(dueForDefragmentation(members));
    expect(due(member(1, 80, 20), member(2, 80, 20), member(3, 70, 69))).toEqual([2, 3, 1]);
    expect(due(member(1, 80, 20), member(2, 30, 20), member(3, 30, 20))).toEqual([1]);
    expect(due(member(1, 70, 20), member(2, 80, 20), member(3, 70, 20))).toEqual([2]);
    expect(due(member(1, 80, 20))).toEqual([1]);
    expect(due(member(1, 50, 20), member(2, 50, 20))).toEqual([]);
  });

  it('has all of them when it has to be', () => {
    expect(ids(leaderLast([member(1, 1, 1), member(2, 1, 1), member(3, 1, 1)]))).toEqual([2, 3, 1]);
  });
});
