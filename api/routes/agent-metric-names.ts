/** Gauges under the names that tools read from Consul; those of the catalog carry its datacenter. */
export const GAUGE_NAMES: Readonly<
  Record<string, { readonly name: string; readonly also?: string; readonly ofCatalog?: true }>
> = {
  lictor_process_active_resources: { name: 'consul.runtime.num_goroutines' },
  lictor_process_gc_pause_nanoseconds: { name: 'consul.runtime.total_gc_pause_ns' },
  lictor_process_gc_runs: { name: 'consul.runtime.total_gc_runs' },
  lictor_process_heap_bytes: { name: 'consul.runtime.alloc_bytes' },
  lictor_process_resident_bytes: { name: 'consul.runtime.sys_bytes' },
  lictor_autopilot_failure_tolerance: { name: 'consul.autopilot.failure_tolerance' },
  lictor_autopilot_healthy: { name: 'consul.autopilot.healthy' },
  lictor_server_is_leader: { name: 'consul.server.isLeader' },
  // The root signs for services itself.
  lictor_ca_active_root_expiry_seconds: {
    name: 'consul.mesh.active-root-ca.expiry',
    also: 'consul.mesh.active-signing-ca.expiry',
    ofCatalog: true,
  },
  lictor_catalog_clients: { name: 'consul.members.clients', ofCatalog: true },
  lictor_catalog_instances: { name: 'consul.state.service_instances', ofCatalog: true },
  lictor_catalog_nodes: { name: 'consul.state.nodes', ofCatalog: true },
  lictor_catalog_servers: { name: 'consul.members.servers', ofCatalog: true },
  lictor_catalog_services: { name: 'consul.state.services', ofCatalog: true },
  lictor_kv_keys: { name: 'consul.state.kv_entries', ofCatalog: true },
  lictor_sessions_with_ttl: { name: 'consul.session_ttl.active' },
};

/** What of the answered requests Consul counts under further names, by method and route. */
export const REQUEST_NAMES: Readonly<Record<string, { readonly counter?: string; readonly sample?: string }>> = {
  'GET /v1/catalog/connect/:name': { counter: 'consul.catalog.connect.query' },
  'GET /v1/catalog/service/:name': { counter: 'consul.catalog.service.query' },
  'GET /v1/health/connect/:name': { counter: 'consul.health.connect.query' },
  'GET /v1/health/service/:name': { counter: 'consul.health.service.query' },
  'PUT /v1/catalog/deregister': { sample: 'consul.catalog.deregister' },
  'PUT /v1/catalog/register': { sample: 'consul.catalog.register' },
  'PUT /v1/kv/:key': { sample: 'consul.kvs.apply' },
  'DELETE /v1/kv/:key': { sample: 'consul.kvs.apply' },
  'PUT /v1/session/create': { sample: 'consul.session.apply' },
  'PUT /v1/session/renew/:id': { sample: 'consul.session.renew' },
  'PUT /v1/txn': { sample: 'consul.txn.apply' },
};

/** A route as the `path` label of consul.api.http has it: `v1_kv_` for all keys. */
export function pathLabel(route: string): string {
  return route
    .replace(/(:[^/]+|\*)$/, '')
    .slice(1)
    .replaceAll('/', '_');
}
