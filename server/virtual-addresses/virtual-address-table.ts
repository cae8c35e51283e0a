import { AppError } from '../../core/errors.ts';
import type { StoreEntry } from '../../store/store.ts';
import type { ApplyContext, StateTable } from '../catalog/state-table.ts';
import { type Stored, storedJson } from '../catalog/stored.ts';

/** The number of a service's address within the range. */
export type AddressNumber = Stored<number>;

/** Addresses are taken from 240.0.0.0/4, which nobody routes (RFC 1112 section 4); the first one has number 1. */
const FIRST_OCTET = 240;
const MAX_NUMBER = 2 ** 28 - 2;

/** Keys within the table: the number of a service (`namespace/service` in lower case), and the last one given. */
export const virtualRest = { service: (service: string) => `service/${service}`, last: 'last' };

/** Waits for the addresses of `namespace/service` in lower case. */
export function virtualAddressTopic(service: string): string {
  return `virtual-address/${service}`;
}

/** @throws AppError `internal` past the end of the range. */
export function virtualAddress(number: number): string {
  if (number > MAX_NUMBER) throw new AppError('internal', 'there are no virtual addresses left');
  const octets = [(number >>> 24) + FIRST_OCTET, (number >>> 16) & 0xff, (number >>> 8) & 0xff, number & 0xff];
  return octets.join('.');
}

/** The virtual addresses of services in the mesh. */
export class VirtualAddressTable implements StateTable {
  readonly segment = 'virtual-address';
  readonly #services = new Map<string, AddressNumber>();
  #last: AddressNumber | undefined;

  put(rest: string, entry: StoreEntry, context: ApplyContext): void {
    if (rest === virtualRest.last) {
      this.#last = storedJson<number>(entry);
      return;
    }
    const service = rest.slice('service/'.length);
    this.#services.set(service, storedJson<number>(entry));
    context.bump(virtualAddressTopic(service), true);
  }

  delete(rest: string, context: ApplyContext): void {
    if (rest === virtualRest.last) {
      this.#last = undefined;
      return;
    }
    const service = rest.slice('service/'.length);
    this.#services.delete(service);
    context.bump(virtualAddressTopic(service), false);
  }

  clear(): void {
    this.#services.clear();
    this.#last = undefined;
  }

  get last(): AddressNumber | undefined {
    return this.#last;
  }

  number(service: string): AddressNumber | undefined {
    return this.#services.get(service);
  }

  /** Of a service; undefined when it was never in the mesh. */
  address(namespace: string, service: string): string | undefined {
    const number = this.#services.get(`${namespace}/${service.toLowerCase()}`);
    return number && virtualAddress(number.record);
  }
}
