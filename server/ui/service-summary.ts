import { unionOfTags } from '../../api/routes/matching.ts';
import type { CheckStatus, HealthCheck, HealthEntry } from '../../api/shapes/catalog.ts';
import type { ServiceSummary } from '../../api/shapes/ui.ts';

/** The key of metadata that says who wrote something, when it was not the user. */
export const EXTERNAL_SOURCE = 'external-source';

/**
 * What the instances of a service have in common.
 * @param proxies those of its instances that are not instances themselves.
 */
export function summarize(
  service: { name: string; datacenter: string },
  instances: readonly HealthEntry[],
  proxies: readonly HealthEntry[],
): ServiceSummary {
  const { Kind: kind } = instances[0]?.Service ?? {};
  const checks = countChecks([...instances, ...proxies]);
  const sources = instances.map(({ Service }) => Service.Meta?.[EXTERNAL_SOURCE] ?? '').filter(Boolean);
  return {
    ...(kind && { Kind: kind }),
    Name: service.name,
    Datacenter: service.datacenter,
    Tags: orNull(unionOfTags(instances.map(({ Service }) => Service.Tags))),
    Nodes: [...new Set(instances.map(({ Node }) => Node.Node))],
    ExternalSources: orNull([...new Set(sources)].sort()),
    InstanceCount: instances.length,
    ChecksPassing: checks.passing,
    ChecksWarning: checks.warning,
    ChecksCritical: checks.critical,
    GatewayConfig: {},
    TransparentProxy: proxies.length > 0 && proxies.every(({ Service }) => Service.Proxy?.Mode === 'transparent'),
    ConnectNative: instances.some(({ Service }) => Service.Connect?.Native === true),
  };
}

/** Instances of one node share its checks: each counts once. */
function countChecks(entries: readonly HealthEntry[]): Record<CheckStatus, number> {
  const counts = { passing: 0, warning: 0, critical: 0 };
  const seen = new Set<string>();
  for (const check of entries.flatMap(({ Checks }) => Checks)) {
    const key = checkKey(check);
    if (seen.has(key)) continue;
    seen.add(key);
    counts[check.Status] += 1;
  }
  return counts;
}

function checkKey({ Node: node, Namespace: namespace = '', CheckID: id }: HealthCheck): string {
  return `${node}\u0000${namespace}/${id}`;
}

function orNull(list: string[]): string[] | null {
  return list.length > 0 ? list : null;
}
