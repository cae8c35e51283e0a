import {
  healthyServers,
  type OperatorBackend,
  operatorRoutes,
  type QuorumBackend,
  tolerance,
} from '../../api/routes/operator-routes.ts';
import type { NodeEntry } from '../catalog/entries.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { SERVER_SERVICE } from '../server-registration.ts';
import { AutopilotSettings, AutopilotTable } from './autopilot-table.ts';
import { ServerQuorum } from './server-quorum.ts';
import { SingleServer } from './single-server.ts';
import { UsageCounts } from './usage-counts.ts';

/** What operators ask and set: the quorum, how it is looked after, and what is in use. */
export function operatorPart(deps: PartDeps): ServerPart {
  const table = new AutopilotTable();
  const counts = new UsageCounts(deps);
  const startedAt = deps.clock.now();
  const quorum = deps.elected
    ? new ServerQuorum(
        { ...deps, deregister: (target, by) => deps.catalogWriter.deregister(target, by) },
        { ...deps.server, startedAt },
      )
    : new SingleServer(deps, { ...deps.server, nodeName: deps.nodeName, startedAt });
  const autopilot = new AutopilotSettings({ ...deps, table });
  observe(deps, counts, quorum);
  const operator: OperatorBackend = { quorum, autopilot, usage: () => counts.read() };
  return { tables: [table], routes: operatorRoutes(deps.reads, operator), operator };
}

/** What dashboards show of a cluster. Read when somebody scrapes; nodes are few enough to be walked then. */
function observe({ metrics, state, reads }: PartDeps, counts: UsageCounts, quorum: QuorumBackend): void {
  const gauge = (name: string, help: string, read: () => number) =>
    metrics.observedGauge({ name: `lictor_${name}`, help }, read);
  const usage = () => (state.loaded ? counts.read().usage : undefined);
  const leads = () => (reads.authority.leads() ? 1 : 0);
  const servers = () => (state.loaded ? quorum.health() : []);
  gauge('catalog_nodes', 'Nodes in the catalog', () => usage()?.Nodes ?? 0);
  gauge('catalog_services', 'Services in the catalog', () => usage()?.Services ?? 0);
  gauge('catalog_instances', 'Instances in the catalog', () => usage()?.ServiceInstances ?? 0);
  gauge('server_is_leader', 'Whether this server takes writes', leads);
  gauge('autopilot_healthy', 'Whether all servers are healthy', () => (healthyServers(servers()) ? 1 : 0));
  gauge('autopilot_failure_tolerance', 'Servers that may fail', () => tolerance(servers()));
  const agents = (server: boolean) => {
    let count = 0;
    for (const node of state.nodeEntries()) if (node.serfHealth && isServer(node) === server) count += 1;
    return count;
  };
  gauge('catalog_servers', 'Nodes with a server and its agent', () => agents(true));
  gauge('catalog_clients', 'Nodes with an agent in client mode', () => agents(false));
}

function isServer(node: NodeEntry): boolean {
  return [...node.instances.values()].some(({ service }) => service === SERVER_SERVICE);
}
