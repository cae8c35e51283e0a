import { meshDestination } from '../catalog/mesh-destination.ts';
import type { PlanBuilder } from '../catalog/plan.ts';
import type { MeshAddresses } from '../catalog/plan-register.ts';
import type { InstanceContent } from '../catalog/records.ts';
import type { CatalogState } from '../catalog/state.ts';
import { type VirtualAddressTable, virtualAddress, virtualRest } from './virtual-address-table.ts';

/** Under this name an instance shows the virtual address of its service. */
const TAGGED = 'consul-virtual';

/**
 * Gives each service an address in the transaction that brings the first of its instances into the mesh. It is never taken
 * away again: who comes back finds its own, and no client that still knows it reaches somebody else.
 */
export class VirtualAddresses implements MeshAddresses {
  readonly #state: CatalogState;
  readonly #table: VirtualAddressTable;

  constructor(deps: { state: CatalogState; table: VirtualAddressTable }) {
    this.#state = deps.state;
    this.#table = deps.table;
  }

  assign(plan: PlanBuilder, namespace: string, content: InstanceContent): InstanceContent {
    const service = meshDestination(namespace, content);
    if (service === undefined) return content;
    const Address = this.allocate(plan, service);
    return { ...content, TaggedAddresses: { ...content.TaggedAddresses, [TAGGED]: { Address, Port: content.Port } } };
  }

  /** The address of `namespace/service` in lower case, given with this plan if it has none. */
  allocate(plan: PlanBuilder, service: string): string {
    return virtualAddress(this.#number(plan, service));
  }

  #number(plan: PlanBuilder, service: string): number {
    const { keys } = this.#state;
    const key = keys.table(this.#table.segment, virtualRest.service(service));
    const known = this.#table.number(service);
    if (known) {
      plan.rely(key, known);
      return known.record;
    }
    const { last } = this.#table;
    const number = (last?.record ?? 0) + 1;
    plan.putBytes(key, undefined, String(number));
    plan.putBytes(keys.table(this.#table.segment, virtualRest.last), last, String(number));
    return number;
  }
}
