import { AppError } from '../../core/errors.ts';
import type { StoreEntry } from '../../store/store.ts';
import type { Shape } from '../catalog/record-shape.ts';
import type { ApplyContext, StateTable } from '../catalog/state-table.ts';
import { inPlaceOf, type Stored, storedJson } from '../catalog/stored.ts';

/** The number of a service's address within the range. */
export type AddressNumber = Stored<number>;

/** Addresses are taken from 240.0.0.0/4, which nobody routes (RFC 1112 section 4); the first one has number 1. */
const FIRST_OCTET = 240;
const MAX_NUMBER = 2 ** 28 - 2;

const ADDRESS_NUMBER: Shape = (value) =>
  Number.isInteger(value) && (value as number) > 0 && (value as number) <= MAX_NUMBER
    ? undefined
    : ` must be a whole number from 1 to ${MAX_NUMBER}`;

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
  /** The last number cannot be read; it follows from those that services have. */
  #lastIsBroken = false;

  put(rest: string, entry: StoreEntry, context: ApplyContext): void {
    if (rest === virtualRest.last) {
      this.#last = storedJson<number>(entry, ADDRESS_NUMBER);
      this.#lastIsBroken = false;
      return;
    }
    const service = rest.slice('service/'.length);
    this.#services.set(service, storedJson<number>(entry, ADDRESS_NUMBER));
    context.bump(virtualAddressTopic(service), true);
  }

  delete(rest: string, context: ApplyContext): void {
    if (rest === virtualRest.last) {
      this.#last = undefined;
      this.#lastIsBroken = false;
      return;
    }
    const service = rest.slice('service/'.length);
    this.#services.delete(service);
    context.bump(virtualAddressTopic(service), false);
  }

  check(_rest: string, entry: StoreEntry): void {
    storedJson(entry, ADDRESS_NUMBER);
  }

  refuse(rest: string, entry: StoreEntry, _why: string, context: ApplyContext): void {
    this.delete(rest, context);
    if (rest !== virtualRest.last) return;
    this.#last = inPlaceOf(entry, 0);
    this.#lastIsBroken = true;
  }

  clear(): void {
    this.#services.clear();
    this.#last = undefined;
    this.#lastIsBroken = false;
  }

  /** None that has been given is above it, so that no service gets the address of another. */
  get last(): AddressNumber | undefined {
    if (!this.#last || !this.#lastIsBroken) return this.#last;
    let highest = 0;
    for (const { record } of this.#services.values()) highest = Math.max(highest, record);
    return { ...this.#last, record: highest };
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
