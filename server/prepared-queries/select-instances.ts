import { hasNodeMeta } from '../../api/routes/matching.ts';
import { byDistance } from '../../api/routes/node-distances.ts';
import { aggregateStatus, type HealthEntry } from '../../api/shapes/catalog.ts';
import type { QueryService } from '../../api/shapes/prepared-query.ts';
import { type Random, shuffled } from '../../core/random.ts';

/** Those of a service's instances that a prepared query wants, in their order. */
export function selectInstances(entries: readonly HealthEntry[], query: QueryService): HealthEntry[] {
  const ignored = new Set(query.IgnoreCheckIDs);
  const nodeMeta = Object.entries(query.NodeMeta ?? {});
  const serviceMeta = Object.entries(query.ServiceMeta ?? {});
  const tags = (query.Tags ?? []).map((tag) => tag.toLowerCase());
  return entries.filter(
    (entry) =>
      isHealthy(entry, ignored, query.OnlyPassing) &&
      hasNodeMeta(entry.Node, nodeMeta) &&
      serviceMeta.every(([key, value]) => entry.Service.Meta?.[key] === value) &&
      fitsTags(entry, tags),
  );
}

function isHealthy(entry: HealthEntry, ignored: ReadonlySet<string>, onlyPassing: boolean): boolean {
  const checks = ignored.size === 0 ? entry.Checks : entry.Checks.filter((check) => !ignored.has(check.CheckID));
  const status = aggregateStatus(checks);
  return status === 'passing' || (status === 'warning' && !onlyPassing);
}

/** A tag that begins with `!` must be absent, every other one present. */
function fitsTags(entry: HealthEntry, wanted: readonly string[]): boolean {
  if (wanted.length === 0) return true;
  const own = new Set(entry.Service.Tags.map((tag) => tag.toLowerCase()));
  return wanted.every((tag) => (tag.startsWith('!') ? !own.has(tag.slice(1)) : own.has(tag)));
}

/** At random, or nearest first where a distance is given; at most `limit` of them when that is above 0. */
export function inAnswerOrder(
  entries: readonly HealthEntry[],
  options: { readonly distance?: (node: string) => number; readonly limit: number },
  random: Pick<Random, 'next'>,
): HealthEntry[] {
  const mixed = shuffled(entries, random);
  const ordered = options.distance ? byDistance(mixed, (entry) => entry.Node.Node, options.distance) : mixed;
  return options.limit > 0 ? ordered.slice(0, options.limit) : ordered;
}
