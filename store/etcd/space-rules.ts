import type { MemberStatus } from './messages.ts';

type Sizes = Pick<MemberStatus, 'dbSize' | 'dbSizeInUse' | 'dbSizeQuota'>;

/** Below this a file is not worth the pause that giving free pages back costs. */
const LARGE_FREE_BYTES = 256 * 1024 * 1024;
/** Of the quota: above it, free pages are given back sooner, and history is forgotten early. */
const NEAR = 0.75;
/** Of the quota: an alarm is not taken back above it, or it would be raised again at once. */
const ROOM = 0.9;

/** Whether most of the file is free and that is much, or a good part of it is while the quota comes near. */
export function wantsDefragmentation({ dbSize, dbSizeInUse, dbSizeQuota }: Sizes): boolean {
  const free = dbSize - dbSizeInUse;
  if (free >= LARGE_FREE_BYTES && free > dbSize / 2) return true;
  return dbSizeQuota > 0 && dbSize > dbSizeQuota * NEAR && free > dbSize / 4;
}

/** Whether the file comes near the quota, so that history has to go. */
export function isNearQuota({ dbSize, dbSizeQuota }: Sizes): boolean {
  return dbSizeQuota > 0 && dbSize > dbSizeQuota * NEAR;
}

/** Whether the file is well below the quota. An etcd that does not tell its quota raises the alarm again if it is not. */
export function hasRoom({ dbSize, dbSizeQuota }: Sizes): boolean {
  return dbSizeQuota === 0 || dbSize < dbSizeQuota * ROOM;
}

/** Whether one member may pause: all of them answer, and agree on a leader. */
export function mayDefragment(members: readonly Pick<MemberStatus, 'leader'>[], endpoints: number): boolean {
  const leader = members[0]?.leader ?? 0;
  return leader !== 0 && members.length === endpoints && members.every((member) => member.leader === leader);
}

interface Placed {
  readonly status: Sizes & Pick<MemberStatus, 'header' | 'leader'>;
}

const leads = ({ status }: Placed): boolean => status.leader === status.header.memberId;

/**
 * Those members that give free pages back, in this order. The leader comes last, and not before those whose files are about
 * as large as its own, also when these have not noted yet what compaction has freed.
 */
export function dueForDefragmentation<T extends Placed>(members: readonly T[]): T[] {
  const leader = members.find((member) => leads(member) && wantsDefragmentation(member.status));
  const large = leader ? leader.status.dbSize * NEAR : Number.POSITIVE_INFINITY;
  const others = members.filter((member) => !leads(member));
  const due = others.filter(({ status }) => wantsDefragmentation(status) || status.dbSize >= large);
  return leader ? [...due, leader] : due;
}

/** All members, the leader last. */
export function leaderLast<T extends Placed>(members: readonly T[]): T[] {
  return members.toSorted((a, b) => Number(leads(a)) - Number(leads(b)));
}
