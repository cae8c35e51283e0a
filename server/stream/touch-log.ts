import type { ChangeSet } from '../catalog/change-set.ts';
import type { InstanceEntry } from '../catalog/entries.ts';

/** That a transaction touched an instance: enough to look up what it is now. */
export interface Touch {
  readonly index: number;
  readonly sortKey: string;
  readonly namespace: string;
  /** As the node spells it, and the instance's id. */
  readonly node: string;
  readonly id: string;
  /** In lower case: where it was before and where it is after; one of them when that is the same. */
  readonly services: readonly string[];
  /** Only its checks may have changed. */
  readonly checksOnly: boolean;
}

/** What the instances of a transaction have become, as touches. */
export function touchesOf(changes: ChangeSet, index: number): Touch[] {
  const touches: Touch[] = [];
  for (const [sortKey, { before, after }] of changes.instances) {
    const known = after ?? before;
    if (!known) continue;
    const { namespace, node, stored } = known;
    touches.push({
      index,
      sortKey,
      namespace,
      node: node.name,
      id: stored.record.content.ID,
      services: servicesOf(before, after),
      checksOnly: before === after && !changes.nodeList,
    });
  }
  return touches;
}

function servicesOf(before: InstanceEntry | undefined, after: InstanceEntry | undefined): string[] {
  if (!before) return after ? [after.serviceKey] : [];
  if (!after || after.serviceKey === before.serviceKey) return [before.serviceKey];
  return [before.serviceKey, after.serviceKey];
}

/** The last touches, so that a reader that was away for a moment needs no snapshot. */
export class TouchLog {
  readonly #max: number;
  #touches: Touch[] = [];
  /** All touches after this index are here. */
  #floor = 0;

  constructor(options: { maxTouches: number }) {
    this.#max = options.maxTouches;
  }

  add(touch: Touch): void {
    this.#touches.push(touch);
    // Cut in large pieces: the cost of each addition stays constant.
    if (this.#touches.length < this.#max * 2) return;
    const dropped = this.#touches.length - this.#max;
    this.#floor = this.#touches[dropped - 1]!.index;
    this.#touches = this.#touches.slice(dropped);
  }

  clear(index: number): void {
    this.#touches = [];
    this.#floor = index;
  }

  /** The touches after this index, newest first; undefined when some of them are forgotten. */
  since(index: number): Iterable<Touch> | undefined {
    return index < this.#floor ? undefined : this.#newest(index);
  }

  *#newest(index: number): Iterable<Touch> {
    for (let at = this.#touches.length - 1; at >= 0 && this.#touches[at]!.index > index; at--) yield this.#touches[at]!;
  }
}
