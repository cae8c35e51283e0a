/** Steps (`topic/scenario/step`) whose answers differ on purpose, with the row of docs/consul-differences.md. */
export const KNOWN_DIFFERENCES: Readonly<Record<string, string>> = {
  'dns/dns-size/05': 'TC bit in UDP answers; Cut answers with EDNS',
  'dns-config/dns-truncate/04': 'Cut answers with EDNS',
  'errors/errors-parameters/04': 'Namespaces',
  'errors/errors-parameters/07': 'Namespaces',
  'agent-info/agent-self/14': '`/v1/agent/metrics?format=prometheus`',
  'errors/errors-methods/23': 'Namespaces',
  'operator/operator/18': '`/v1/internal/ui/catalog-overview`',
  'operator/status-coordinate/11': 'Writing a coordinate',
};

/** Steps of endpoints that docs/consul-differences.md lists under "Not there yet". */
export const NOT_THERE_YET: readonly string[] = [];
