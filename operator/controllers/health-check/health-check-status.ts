import { type CheckStatus, isNoVerdict } from '../../../api/shapes/catalog.ts';
import type { Condition, HealthCheck, HealthCheckStatus, HealthCheckStatusFailing } from '../../../crds/types/index.ts';
import type { MirrorCheck, MirrorEntry } from '../../catalog-mirror/catalog-mirror.ts';
import { type ConditionWishes, conditions } from '../../status/conditions.ts';

/** Failing instances listed in a status; the rest is counted. */
export const MAX_FAILING = 50;

/** A check and the instance that it is about. */
export interface CheckOnInstance {
  readonly entry: MirrorEntry;
  readonly check: MirrorCheck;
}

/**
 * The status of a HealthCheck from the states of its checks. While an instance keeps its state, its `since` and
 * `output` stay as they were written: a new output alone is no reason for a write, unless it is the first one.
 */
export function healthCheckStatus(
  object: HealthCheck,
  checks: readonly CheckOnInstance[],
  wishes: ConditionWishes,
  now: string,
): Required<HealthCheckStatus> & { conditions: Condition[] } {
  const count = (status: CheckStatus) => checks.filter(({ check }) => check.status === status).length;
  const before = new Map((object.status?.failing ?? []).map((row) => [`${row.node}\0${row.instance}`, row]));
  const failing = checks
    .filter(({ check }) => check.status !== 'passing')
    .map((each) => failingRow(each, before, now))
    .sort(criticalFirst);
  const generation = object.metadata.generation ?? 0;
  return {
    passing: count('passing'),
    warning: count('warning'),
    critical: count('critical'),
    failing: failing.slice(0, MAX_FAILING),
    omitted: Math.max(0, failing.length - MAX_FAILING),
    observedGeneration: generation,
    conditions: conditions(object.status?.conditions, wishes, { generation, now }),
  };
}

function failingRow(
  { entry, check }: CheckOnInstance,
  before: ReadonlyMap<string, HealthCheckStatusFailing>,
  now: string,
): HealthCheckStatusFailing {
  const status = check.status as 'warning' | 'critical';
  const old = before.get(`${entry.node}\0${entry.id}`);
  const row = { instance: entry.id, node: entry.node, status };
  if (old?.status !== status) return { ...row, output: check.output, since: now };
  const isFirst = old.output === '' || isNoVerdict(old.output, entry.node);
  return { ...row, output: isFirst ? check.output : old.output, since: old.since };
}

function criticalFirst(a: HealthCheckStatusFailing, b: HealthCheckStatusFailing): number {
  if (a.status !== b.status) return a.status === 'critical' ? -1 : 1;
  return a.instance < b.instance ? -1 : a.instance > b.instance ? 1 : a.node < b.node ? -1 : 1;
}
