import type { Member } from '../../api/routes/agent-local-backend.ts';
import type { AgentBackend, LiveRead } from '../../api/routes/catalog-backend.ts';
import type { AgentEntries, AssignedCheck, NodeHealth, VerdictReport } from '../../api/shapes/agent-sync.ts';
import { isPortText, SERF_PORT } from '../../api/shapes/member-ports.ts';
import type { CheckEntry, NodeEntry } from '../catalog/entries.ts';
import { isRunnable } from '../catalog/entries.ts';
import type { CatalogState } from '../catalog/state.ts';
import { topicOf } from '../catalog/topics.ts';
import type { CatalogWriter } from '../catalog/writer.ts';
import { sameOwner } from '../catalog/writer-rules.ts';
import type { AgentLiveness } from '../liveness/agent-liveness.ts';
import { SERVER_SERVICE, WAN_PORT_META } from '../server-registration.ts';
import { liveRead } from './catalog-reads.ts';

/** The owner name of a node's agent. */
export function agentOwner(node: string): string {
  return `agent/${node}`;
}

/** What the agents of nodes ask of this server. */
export class StateAgentBackend implements AgentBackend {
  readonly #state: CatalogState;
  readonly #writer: CatalogWriter;
  readonly #liveness: AgentLiveness;
  readonly #datacenter: string;

  constructor(
    deps: { state: CatalogState; writer: CatalogWriter; liveness: AgentLiveness },
    options: { datacenter: string },
  ) {
    this.#datacenter = options.datacenter;
    this.#state = deps.state;
    this.#writer = deps.writer;
    this.#liveness = deps.liveness;
  }

  /** What `agent/<node>` owns on its node. @throws AppError `notSynced`. */
  entries(nodeName: string): AgentEntries {
    this.#state.assertLoaded();
    const owner = agentOwner(nodeName);
    const node = this.#state.node(nodeName);
    const entries: AgentEntries = { Services: [], Checks: [] };
    for (const { stored } of node?.instances.values() ?? []) {
      const { record } = stored;
      if (!sameOwner(record.owner, owner)) continue;
      const { ID, Tags, EnableTagOverride } = record.content;
      const tags = EnableTagOverride ? { Tags: [...Tags] } : {};
      entries.Services.push({ Namespace: record.namespace, ServiceID: ID, Hash: record.hash, ...tags });
    }
    for (const check of node?.checks.values() ?? []) {
      const record = check.definition?.record;
      if (!record || !sameOwner(record.owner, owner)) continue;
      entries.Checks.push({
        Namespace: record.namespace,
        CheckID: record.checkId,
        ServiceID: record.serviceId,
        Hash: record.hash,
        Status: check.status,
        Output: check.output,
      });
    }
    return entries;
  }

  /** What others declared for the agent of this node to run. */
  definitions(nodeName: string): LiveRead<readonly AssignedCheck[]> {
    return liveRead(this.#state, [topicOf.definitions(nodeName.toLowerCase())], () => {
      const node = this.#state.node(nodeName);
      if (!node) return [];
      const checks = [...node.checks.values()].filter((check) => isAssigned(check, agentOwner(nodeName)));
      checks.sort((a, b) => (a.key < b.key ? -1 : 1));
      return checks.map((check) => assignedCheck(node, check, this.#state.base));
    });
  }

  /** What stands for a node: its services, its checks and theirs. */
  health(nodeName: string): LiveRead<NodeHealth> {
    return liveRead(this.#state, [topicOf.node(nodeName.toLowerCase())], () => {
      const node = this.#state.node(nodeName);
      const checks = [...(node?.checks.values() ?? [])].filter((check) => check.definition);
      checks.sort((a, b) => (a.key < b.key ? -1 : 1));
      return {
        Known: node?.shape !== undefined,
        Services: [...(node?.instances.values() ?? [])].map(({ namespace, stored }) => ({
          Namespace: namespace,
          ServiceID: stored.record.content.ID,
        })),
        Checks: checks.map((check) => {
          const { ServiceID, Name, Type, Status, Output } = check.joined();
          return { Namespace: check.namespace, ServiceID, Name, Type: Type ?? '', Status, Output };
        }),
      };
    });
  }

  members(): readonly Member[] {
    this.#state.assertLoaded();
    return [...this.#state.nodeEntries()].flatMap((node) => member(node, this.#datacenter));
  }

  /** The state halves that an agent has found, and its sign of life. */
  async report(node: string, report: VerdictReport): Promise<void> {
    this.#state.assertLoaded();
    await this.#liveness.reported(node, report.HeartbeatMs, report.SerfPort);
    if (report.Verdicts.length > 0) await this.#writer.writeVerdicts(node, report.Verdicts);
  }
}

const ALIVE = 1;
const FAILED = 4;

function member(node: NodeEntry, datacenter: string): Member[] {
  const { serfHealth, shape } = node;
  if (!serfHealth || !shape) return [];
  const server = [...node.instances.values()].find(({ service }) => service === SERVER_SERVICE);
  const wanPort = server?.stored.record.content.Meta?.[WAN_PORT_META];
  const version = shape.Meta?.['consul-version'];
  const Tags = {
    dc: datacenter,
    id: shape.ID,
    segment: '',
    role: server ? 'consul' : 'node',
    vsn: '2',
    vsn_min: '2',
    vsn_max: '3',
    ...(version === undefined ? {} : { build: `${version}:lictor` }),
    // Others may write anything there.
    ...(wanPort !== undefined && isPortText(wanPort) ? { wan_join_port: wanPort } : {}),
  };
  const Port = serfHealth.definition?.record.serfPort ?? SERF_PORT;
  const Status = serfHealth.status === 'passing' ? ALIVE : FAILED;
  return [{ Name: shape.Node, Addr: shape.Address, Port, Tags, Status }];
}

function isAssigned(check: CheckEntry, owner: string): boolean {
  const record = check.definition?.record;
  return record !== undefined && isRunnable(record.definition) && !sameOwner(record.owner, owner);
}

function assignedCheck(node: NodeEntry, check: CheckEntry, base: number): AssignedCheck {
  const { record, modRevision } = check.definition!;
  return {
    Namespace: record.namespace,
    CheckID: record.checkId,
    Name: record.name,
    ServiceID: record.serviceId,
    ServiceName: node.instances.get(check.instanceKey)?.service ?? '',
    Definition: record.definition,
    Status: check.status,
    Output: check.output,
    DefinitionIndex: base + modRevision,
  };
}
