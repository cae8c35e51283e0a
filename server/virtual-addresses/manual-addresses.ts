import type { Assignment, VirtualAddressBackend } from '../../api/routes/virtual-address-routes.ts';
import { PlanBuilder } from '../catalog/plan.ts';
import { sameRecord } from '../catalog/records.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { StateWriter } from '../catalog/state-writer.ts';
import { type ManualAddressTable, manualRest } from './manual-address-table.ts';
import { type VirtualAddressTable, virtualRest } from './virtual-address-table.ts';

export interface ManualAddressDeps {
  readonly state: CatalogState;
  readonly writer: Pick<StateWriter, 'write'>;
  readonly virtualAddresses: VirtualAddressTable;
  readonly table: ManualAddressTable;
}

/** Sets the addresses of services in one transaction with taking them from those that had them. */
export class ManualAddresses implements VirtualAddressBackend {
  readonly #deps: ManualAddressDeps;

  constructor(deps: ManualAddressDeps) {
    this.#deps = deps;
  }

  async assign(namespace: string, name: string, addresses: readonly string[]): Promise<Assignment> {
    const { state, writer, virtualAddresses } = this.#deps;
    const service = `${namespace}/${name.toLowerCase()}`;
    let result: Assignment = { found: false, unassignedFrom: [] };
    await writer.write(() => {
      const plan = new PlanBuilder();
      const inMesh = virtualAddresses.number(service);
      plan.rely(state.keys.table(virtualAddresses.segment, virtualRest.service(service)), inMesh);
      const before = inMesh ? this.#take(plan, service, addresses) : [];
      result = {
        found: inMesh !== undefined,
        unassignedFrom: before.map((other) => other.slice(other.indexOf('/') + 1)),
      };
      return plan.build();
    });
    return result;
  }

  /** Gives those who had some of the addresses. */
  #take(plan: PlanBuilder, service: string, addresses: readonly string[]): string[] {
    const { table } = this.#deps;
    const before = table.kept(service);
    for (const address of before?.record ?? []) {
      if (!addresses.includes(address)) plan.delete(this.#key(manualRest.address(address)), table.holder(address));
    }
    const others = new Set<string>();
    for (const address of addresses) {
      const holder = table.holder(address);
      const key = this.#key(manualRest.address(address));
      if (holder?.record === service) plan.own(key, holder);
      else plan.put(key, holder, service);
      if (holder && holder.record !== service) others.add(holder.record);
    }
    for (const other of others) {
      const kept = table.kept(other)?.record ?? [];
      this.#set(
        plan,
        other,
        kept.filter((address) => !addresses.includes(address)),
      );
    }
    this.#set(plan, service, addresses);
    return [...others].sort();
  }

  #set(plan: PlanBuilder, service: string, addresses: readonly string[]): void {
    const before = this.#deps.table.kept(service);
    const key = this.#key(manualRest.service(service));
    if (addresses.length === 0) plan.delete(key, before);
    else if (before && sameRecord(before.record, addresses)) plan.own(key, before);
    else plan.put(key, before, addresses);
  }

  #key(rest: string): string {
    return this.#deps.state.keys.table(this.#deps.table.segment, rest);
  }
}
