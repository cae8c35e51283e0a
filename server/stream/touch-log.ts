import type { ChangeSet, InstanceChange } from '../catalog/change-set.ts';
import type { InstancePlace } from '../catalog/instance-place.ts';

/** That a transaction touched an instance: enough to look up what it is now. */
export interface Touch {
  readonly place: InstancePlace;
  /** In lower case: where it was before and where it is after; one of them when that is the same. */
  readonly services: readonly string[];
  /** Only its checks may have changed. */
  readonly checksOnly: boolean;
}

/** What each instance of a transaction has become, as a touch. */
export function* touchesOf(changes: ChangeSet): Iterable<Touch> {
  for (const [place, change] of changes.instances) {
    const services = servicesOf(change);
    if (services === undefined) continue;
    yield { place, services: listed(services), checksOnly: isOfChecks(change, changes) };
  }
}

/** Its service, or those before and after; undefined when it was not there, and is not. */
function servicesOf({ before, after }: InstanceChange): string | readonly string[] | undefined {
  if (!before || !after || after.serviceKey === before.serviceKey) return (after ?? before)?.serviceKey;
  return [before.serviceKey, after.serviceKey];
}

function listed(services: string | readonly string[]): readonly string[] {
  return typeof services === 'string' ? [services] : services;
}

function isOfChecks({ before, after }: InstanceChange, { nodeList }: ChangeSet): boolean {
  return before === after && !nodeList;
}

/**
 * The last touches, so that a reader that was away for a moment needs no snapshot. In columns that are filled in turn: what is
 * noted with every change makes no objects, and is put together when somebody resumes.
 */
export class TouchLog {
  readonly #max: number;
  readonly #places: InstancePlace[] = [];
  readonly #services: (string | readonly string[])[] = [];
  readonly #checksOnly: boolean[] = [];
  readonly #indexes: number[] = [];
  /** Where the next one goes: the place of the oldest when all are taken. */
  #next = 0;
  /** All touches after this index are here. */
  #floor = 0;

  constructor(options: { maxTouches: number }) {
    this.#max = options.maxTouches;
  }

  /** Notes what a transaction has touched. */
  add(changes: ChangeSet, index: number): void {
    for (const [place, change] of changes.instances) {
      const services = servicesOf(change);
      if (services === undefined) continue;
      const at = this.#next;
      if (this.#indexes.length === this.#max) this.#floor = this.#indexes[at]!;
      this.#places[at] = place;
      this.#services[at] = services;
      this.#checksOnly[at] = isOfChecks(change, changes);
      this.#indexes[at] = index;
      this.#next = (at + 1) % this.#max;
    }
  }

  clear(index: number): void {
    for (const column of [this.#places, this.#services, this.#checksOnly, this.#indexes]) column.length = 0;
    this.#next = 0;
    this.#floor = index;
  }

  /** The touches after this index, newest first; undefined when some of them are forgotten. */
  since(index: number): Iterable<Touch> | undefined {
    return index < this.#floor ? undefined : this.#newest(index);
  }

  *#newest(index: number): Iterable<Touch> {
    const count = this.#indexes.length;
    for (let back = 1; back <= count; back++) {
      const at = (this.#next - back + count) % count;
      if (this.#indexes[at]! <= index) return;
      yield {
        place: this.#places[at]!,
        services: listed(this.#services[at]!),
        checksOnly: this.#checksOnly[at]!,
      };
    }
  }
}
