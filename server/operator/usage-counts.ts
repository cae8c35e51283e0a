import type { Usage } from '../../api/shapes/operator.ts';
import type { InstanceEntry } from '../catalog/entries.ts';
import type { CatalogState } from '../catalog/state.ts';
import { SERVER_SERVICE } from '../server-registration.ts';

/** What usage tells apart: proxies and gateways by their kind, and services that speak the mesh themselves. */
const MESH_KINDS = [
  'api-gateway',
  'connect-native',
  'connect-proxy',
  'ingress-gateway',
  'mesh-gateway',
  'terminating-gateway',
] as const;

/** Counts of instances, kept with every change: nothing is walked when somebody asks. */
export class UsageCounts {
  readonly #state: CatalogState;
  #mesh = new Map<string, number>();
  #instances = 0;
  #billable = 0;
  /** Undefined when it has to be counted again. */
  #nodes: number | undefined;

  constructor(deps: { state: CatalogState }) {
    this.#state = deps.state;
    deps.state.onReset(() => this.#recount());
    deps.state.onChanges((changes) => {
      if (changes.nodeList) this.#nodes = undefined;
      for (const { before, after } of changes.instances.values()) {
        if (before === after) continue;
        if (before) this.#count(before, -1);
        if (after) this.#count(after, 1);
      }
    });
  }

  /** @throws AppError `notSynced`. */
  read(): { index: number; usage: Usage } {
    this.#state.assertLoaded();
    return {
      index: this.#state.applied,
      usage: {
        Services: this.#state.serviceCount,
        ServiceInstances: this.#instances,
        ConnectServiceInstances: Object.fromEntries(MESH_KINDS.map((kind) => [kind, this.#mesh.get(kind) ?? 0])),
        BillableServiceInstances: this.#billable,
        Nodes: this.#nodeCount(),
      },
    };
  }

  /** Nodes come and go rarely; counted again when one has. */
  #nodeCount(): number {
    if (this.#nodes === undefined) {
      let count = 0;
      for (const _ of this.#state.nodeEntries()) count++;
      this.#nodes = count;
    }
    return this.#nodes;
  }

  #recount(): void {
    this.#mesh = new Map();
    this.#instances = 0;
    this.#billable = 0;
    this.#nodes = undefined;
    for (const node of this.#state.nodeEntries())
      for (const instance of node.instances.values()) this.#count(instance, 1);
  }

  #count(instance: InstanceEntry, by: 1 | -1): void {
    const { content } = instance.stored.record;
    this.#instances += by;
    const kind = content.Kind ?? '';
    if (kind !== '') add(this.#mesh, kind, by);
    else if (content.Connect?.Native) add(this.#mesh, 'connect-native', by);
    if (kind === '' && instance.serviceKey !== SERVER_SERVICE) this.#billable += by;
  }
}

function add(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
