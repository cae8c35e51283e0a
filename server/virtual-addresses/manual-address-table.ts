import type { StoreEntry } from '../../store/store.ts';
import { listOf, NAME, TEXT } from '../catalog/record-shape.ts';
import type { ApplyContext, StateTable } from '../catalog/state-table.ts';
import { type Stored, storedJson } from '../catalog/stored.ts';
import { virtualAddressTopic } from './virtual-address-table.ts';

/** Keys within the table: the addresses of a service (`namespace/service` in lower case), and whose an address is. */
export const manualRest = {
  service: (service: string) => `service/${service}`,
  address: (address: string) => `address/${address}`,
};

const SERVICE = manualRest.service('');
const ADDRESSES = listOf(TEXT);

/** The addresses that services were given by hand: each is one service's. */
export class ManualAddressTable implements StateTable {
  readonly segment = 'manual-virtual-address';
  readonly #services = new Map<string, Stored<readonly string[]>>();
  readonly #holders = new Map<string, Stored<string>>();

  put(rest: string, entry: StoreEntry, context: ApplyContext): void {
    if (!rest.startsWith(SERVICE)) {
      this.#holders.set(rest.slice(manualRest.address('').length), storedJson<string>(entry, NAME));
      return;
    }
    const service = rest.slice(SERVICE.length);
    this.#services.set(service, storedJson<string[]>(entry, ADDRESSES));
    context.bump(virtualAddressTopic(service), true);
  }

  delete(rest: string, context: ApplyContext): void {
    if (!rest.startsWith(SERVICE)) {
      this.#holders.delete(rest.slice(manualRest.address('').length));
      return;
    }
    const service = rest.slice(SERVICE.length);
    this.#services.delete(service);
    context.bump(virtualAddressTopic(service), true);
  }

  check(rest: string, entry: StoreEntry): void {
    storedJson(entry, rest.startsWith(SERVICE) ? ADDRESSES : NAME);
  }

  clear(): void {
    this.#services.clear();
    this.#holders.clear();
  }

  /** Of `namespace/service` in lower case. */
  kept(service: string): Stored<readonly string[]> | undefined {
    return this.#services.get(service);
  }

  /** Whose an address is, as `namespace/service` in lower case. */
  holder(address: string): Stored<string> | undefined {
    return this.#holders.get(address);
  }

  addresses(namespace: string, service: string): readonly string[] {
    return this.kept(`${namespace}/${service.toLowerCase()}`)?.record ?? [];
  }
}
