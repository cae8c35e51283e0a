import { NODE_MAINTENANCE, SERVICE_MAINTENANCE } from '../../api/routes/agent-answers.ts';
import type { LiveRead } from '../../api/routes/catalog-backend.ts';
import type { ExplainBackend, RuledOutBy } from '../../api/routes/explain-routes.ts';
import { aggregateStatus, type CheckStatus } from '../../api/shapes/catalog.ts';
import type { ExplainedInstance, ExplainedReason, Explanation } from '../../api/shapes/explain.ts';
import { nearestOnes } from '../../core/nearest.ts';
import { liveRead } from '../backend/catalog-reads.ts';
import { type CheckEntry, type InstanceEntry, SERF_HEALTH } from '../catalog/entries.ts';
import type { CatalogState } from '../catalog/state.ts';
import { topicOf } from '../catalog/topics.ts';

/** Names to offer for an unknown one. */
const MAX_NEAREST = 5;

/** What of a question rules an instance out, in words. */
const RULED_OUT = {
  tag: 'it does not carry the tags asked for',
  nodeMeta: 'its node does not carry the metadata asked for',
  filter: 'the filter leaves it out',
} as const;

/** Why a service that somebody has declared has no instance; undefined where nothing is known of it. */
export type WhyNoInstance = (namespace: string, name: string) => string | undefined;

/** Says of the instances of a service which are answered, and why the others are not. */
export class ServiceExplainer implements ExplainBackend {
  readonly #state: CatalogState;
  readonly #whyNoInstance: WhyNoInstance;

  constructor(deps: { state: CatalogState; whyNoInstance?: WhyNoInstance | undefined }) {
    this.#state = deps.state;
    this.#whyNoInstance = deps.whyNoInstance ?? (() => undefined);
  }

  service(namespace: string, name: string, ruledOutBy: RuledOutBy): LiveRead<Explanation> {
    const topic = topicOf.service(namespace, name.toLowerCase());
    return liveRead(this.#state, [topic], () => this.#explain(namespace, name, ruledOutBy));
  }

  #explain(namespace: string, name: string, ruledOutBy: RuledOutBy): Explanation {
    const key = name.toLowerCase();
    const service = this.#state.serviceEntry(namespace, key);
    const instances = (service?.instances ?? []).filter((entry) => entry.node.shape);
    const reason = instances.length > 0 ? undefined : this.#whyNoInstance(namespace, name);
    return {
      Service: service?.name ?? name,
      Namespace: namespace,
      ...(reason === undefined ? {} : { Reason: reason }),
      Instances: instances.map((entry) => explained(entry, ruledOutBy)),
      OtherNamespaces: this.#otherNamespaces(namespace, key),
      Nearest: instances.length > 0 ? [] : this.#nearest(namespace, key),
    };
  }

  #otherNamespaces(namespace: string, key: string): string[] {
    const found = [...this.#state.namespaces()].filter(
      (other) => other !== namespace && this.#state.serviceEntry(other, key),
    );
    return found.sort();
  }

  #nearest(namespace: string, key: string): string[] {
    const names = new Map<string, string>();
    for (const service of this.#state.services(namespace)) names.set(service.key, service.name);
    return nearestOnes(key, names.keys(), MAX_NEAREST).map((near) => names.get(near)!);
  }
}

function explained(entry: InstanceEntry, ruledOutBy: RuledOutBy): ExplainedInstance {
  const { Node, Service, Checks } = entry.health();
  const ruledOut = ruledOutBy(entry.health()).map((kind): ExplainedReason => ({ Kind: kind, Text: RULED_OUT[kind] }));
  const status = aggregateStatus(Checks);
  const checks = [...(entry.node.checksByInstance.get('') ?? []), ...(entry.checks() ?? [])];
  return {
    Node: Node.Node,
    ServiceID: Service.ID,
    Address: Service.Address || Node.Address,
    Port: Service.Port,
    Status: status,
    DNS: status !== 'critical' && ruledOut.length === 0,
    Passing: status === 'passing' && ruledOut.length === 0,
    Reasons: [
      ...checks
        .filter((check) => check.status !== 'passing')
        .map(reason)
        .sort(gravestFirst),
      ...ruledOut,
    ],
  };
}

function reason(check: CheckEntry): ExplainedReason {
  const { checkId, name, notes } = check.definition!.record;
  const { status, output } = check;
  const since = check.state?.since;
  const common = {
    CheckID: checkId,
    Status: status,
    Output: output,
    ...(since === undefined ? {} : { Since: new Date(since).toISOString() }),
  };
  const firstLine = (output || notes).split('\n')[0]!;
  if (checkId === SERF_HEALTH) {
    return { Kind: 'agentSilent', Text: `the agent of node ${check.node.name} does not report`, ...common };
  }
  if (checkId === NODE_MAINTENANCE || checkId.startsWith(SERVICE_MAINTENANCE)) {
    const what = checkId === NODE_MAINTENANCE ? `node ${check.node.name}` : 'the instance';
    return { Kind: 'maintenance', Text: `${what} is in maintenance${notes === '' ? '' : `: ${notes}`}`, ...common };
  }
  return {
    Kind: 'check',
    Text: `${name || checkId} is ${status}${firstLine === '' ? '' : `: ${firstLine}`}`,
    ...common,
  };
}

const GRAVITY: Readonly<Record<CheckStatus, number>> = { critical: 0, warning: 1, passing: 2 };

function gravestFirst(a: ExplainedReason, b: ExplainedReason): number {
  return GRAVITY[a.Status!] - GRAVITY[b.Status!];
}
