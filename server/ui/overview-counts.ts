import { aggregateStatus, type CheckStatus } from '../../api/shapes/catalog.ts';
import type { CatalogOverview } from '../../api/shapes/ui.ts';
import type { ChangeSet } from '../catalog/change-set.ts';
import type { CheckEntry, InstanceEntry, NodeEntry } from '../catalog/entries.ts';
import type { InstancePlace } from '../catalog/instance-place.ts';
import type { CatalogState } from '../catalog/state.ts';
import { StatusTally } from './status-tally.ts';

interface Tallies {
  readonly nodes: StatusTally<NodeEntry>;
  readonly instances: StatusTally<InstancePlace>;
  readonly checks: StatusTally<CheckEntry>;
}

/**
 * The catalog in numbers. Counted from the whole catalog when it is first asked, kept with every transaction from then on:
 * who never asks pays nothing.
 */
export class OverviewCounts {
  readonly #state: CatalogState;
  #tallies: Tallies | undefined;

  constructor(deps: { state: CatalogState }) {
    this.#state = deps.state;
    deps.state.onReset(() => {
      this.#tallies = undefined;
    });
    deps.state.onChanges((changes) => {
      if (this.#tallies) noteChanges(this.#tallies, changes);
    });
  }

  read(): CatalogOverview {
    this.#tallies ??= this.#countAll();
    const { nodes, instances, checks } = this.#tallies;
    return { Nodes: nodes.counts(), Services: instances.counts(), Checks: checks.counts() };
  }

  #countAll(): Tallies {
    const tallies: Tallies = { nodes: new StatusTally(), instances: new StatusTally(), checks: new StatusTally() };
    for (const node of this.#state.nodeEntries()) {
      noteNode(tallies, node);
      for (const instance of node.instances.values()) noteInstance(tallies, instance.place, instance);
      for (const check of node.checks.values()) noteCheck(tallies, check);
    }
    return tallies;
  }
}

function noteChanges(tallies: Tallies, changes: ChangeSet): void {
  for (const node of changes.nodes) noteNode(tallies, node);
  for (const [place, { after }] of changes.instances) noteInstance(tallies, place, after);
  for (const check of changes.checks) noteCheck(tallies, check);
}

function noteNode({ nodes }: Tallies, node: NodeEntry): void {
  nodes.set(node, node.stored && { name: '', status: worst(node.checksByInstance.get('')) });
}

function noteInstance({ instances }: Tallies, place: InstancePlace, instance: InstanceEntry | undefined): void {
  if (!instance?.node.stored) {
    instances.set(place, undefined);
    return;
  }
  const checks = [...(instance.node.checksByInstance.get('') ?? []), ...(instance.checks() ?? [])];
  instances.set(place, { name: instance.service, status: worst(checks) });
}

function noteCheck({ checks }: Tallies, check: CheckEntry): void {
  checks.set(check, check.definition && { name: check.definition.record.name, status: check.status });
}

function worst(checks: readonly CheckEntry[] = []): CheckStatus {
  return aggregateStatus(checks.map(({ status }) => ({ Status: status })));
}
