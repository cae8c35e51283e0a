import { namespaced, type OperationGroup, plain, read } from '../operation.ts';
import { needed } from '../parameters.ts';
import { choice, listOf, ref, text } from '../schema.ts';

const NO_GATEWAY = { 400: ['Missing gateway name'] };

/** What Consul's user interface asks; Consul does not document it. */
export const UI: OperationGroup = {
  name: 'User interface',
  about: 'What Consul’s user interface asks. Consul does not document it, and other clients should not rely on it.',
  operations: [
    namespaced('/v1/internal/ui/services', 'List the services with their health', {
      params: ['filter', 'peer'],
      json: listOf(ref('ListedService')),
    }),
    namespaced('/v1/internal/ui/nodes', 'List the nodes with all that is on them', {
      params: ['filter', 'peer'],
      json: listOf(ref('NodeWithContent')),
    }),
    namespaced('/v1/internal/ui/node/{node}', 'Show a node with all that is on it', {
      json: ref('NodeWithContent'),
      errors: { 400: ['Missing node name'], 404: ['No node "…" in the catalog'] },
    }),
    read('/v1/internal/ui/catalog-overview', 'Show the catalog in numbers', {
      params: ['nsHeader'],
      json: ref('CatalogOverview'),
    }),
    read('/v1/internal/ui/service-topology/{service}', 'Show a service with its neighbours in the mesh', {
      params: [
        { ...needed('kind', choice(['', 'ingress-gateway']), 'What the service is.', ''), allowEmptyValue: true },
        'nsHeader',
      ],
      json: ref('ServiceTopology'),
      queryExample: 'kind=',
      errors: { 400: ['Missing service name', 'Missing service kind', 'Unsupported service kind "…": …'] },
    }),
    read('/v1/internal/ui/gateway-services-nodes/{gateway}', 'List the services behind a gateway', {
      params: ['nsHeader'],
      json: listOf(ref('ServiceSummary')),
      errors: NO_GATEWAY,
    }),
    read('/v1/internal/ui/gateway-intentions/{gateway}', 'List the intentions of the services behind a gateway', {
      params: ['nsHeader'],
      json: listOf(ref('Intention')),
      errors: NO_GATEWAY,
    }),
    read('/v1/internal/ui/exported-services', 'List the services that a peer may use', {
      params: [needed('peer', text(), 'The peer.', 'east'), 'nsHeader'],
      json: listOf(ref('ListedService')),
      queryExample: 'peer=east',
      errors: { 400: ['Missing peer name'] },
    }),
    plain('GET', '/v1/internal/ui/metrics-proxy/{metricsPath}', 'Ask where the metrics of services come from', {
      about: 'Path and query are handed on to `ui_config.metrics_proxy.base_url`; its answer comes back as it is.',
      route: '/v1/internal/ui/metrics-proxy/*',
      answers: { 200: { description: 'The answer of the place.', content: { '*/*': {} } } },
      errors: {
        403: ['… is not in ui_config.metrics_proxy.path_allowlist'],
        404: ['metrics proxy is not enabled: give ui_config.metrics_proxy.base_url'],
      },
    }),
  ],
};
