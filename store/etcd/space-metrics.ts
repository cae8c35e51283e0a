import type { Metrics } from '../../core/metrics.ts';
import type { MemberStatus } from './messages.ts';

export interface SpaceMetrics {
  member(target: string, status: MemberStatus): void;
  alarm(raised: boolean): void;
  defragmented(): void;
}

/** What the room in etcd is watched by. The label is an endpoint of the configuration. */
export function spaceMetrics(metrics: Pick<Metrics, 'gauge' | 'counter'> | undefined): SpaceMetrics {
  const gauge = (what: string, help: string, labels: readonly string[] = ['member']) =>
    metrics?.gauge({ name: `lictor_store_etcd_${what}`, help, labels });
  const size = gauge('db_bytes', 'Size of the file of a member of etcd.');
  const inUse = gauge('db_in_use_bytes', 'Bytes of that file that are in use; the rest is free pages.');
  const quota = gauge('db_quota_bytes', 'Size that the file may have; 0 when etcd does not tell (before 3.6).');
  const alarm = gauge('no_space_alarm', '1 while etcd refuses writes, because its quota is used up.', []);
  const defragmented = metrics?.counter({
    name: 'lictor_store_etcd_defragmentations_total',
    help: 'Members of etcd whose free pages this server had given back.',
  });
  return {
    member(member, { dbSize, dbSizeInUse, dbSizeQuota }) {
      size?.set(dbSize, { member });
      inUse?.set(dbSizeInUse, { member });
      quota?.set(dbSizeQuota, { member });
    },
    alarm: (raised) => alarm?.set(raised ? 1 : 0),
    defragmented: () => defragmented?.add(),
  };
}
