import type { NodeDistances } from '../../api/routes/node-distances.ts';
import { type Coordinate, type CoordinateEntry, roundTripSeconds } from '../../api/shapes/coordinate.ts';
import type { StoreEntry } from '../../store/store.ts';
import { escapePart } from '../catalog/keys.ts';
import { fields, listOf, NAME, NUMBER, TEXT } from '../catalog/record-shape.ts';
import type { ApplyContext, StateTable } from '../catalog/state-table.ts';
import { type Stored, storedJson } from '../catalog/stored.ts';

/** A coordinate as it is stored. */
export interface CoordinateRecord {
  readonly node: string;
  readonly segment: string;
  readonly coordinate: Coordinate;
}

const RECORD = fields({
  node: NAME,
  segment: TEXT,
  coordinate: fields({ Vec: listOf(NUMBER), Error: NUMBER, Adjustment: NUMBER, Height: NUMBER }),
});

/** What waits for coordinates: all of them, or those of a node. */
export const coordinateTopics = {
  all: 'coordinates',
  node: (name: string) => `coordinates/${name.toLowerCase()}`,
};

/** The key of a node's coordinate within the table. */
export function coordinateRest(node: string, segment: string): string {
  return `${escapePart(node)}/${escapePart(segment)}`;
}

const UNKNOWN = () => Number.POSITIVE_INFINITY;

/** The nodes' coordinates, and the distances that follow from them. */
export class CoordinateTable implements StateTable, NodeDistances {
  readonly segment = 'coordinate';
  /** By node and segment, each in lower case. */
  readonly #nodes = new Map<string, Map<string, Stored<CoordinateRecord>>>();
  #version = 0;

  /** The index of the last change. */
  get version(): number {
    return this.#version;
  }

  put(rest: string, entry: StoreEntry, context: ApplyContext): void {
    const stored = storedJson<CoordinateRecord>(entry, RECORD);
    const [node = '', segment = ''] = rest.split('/');
    const segments = this.#nodes.get(node) ?? new Map<string, Stored<CoordinateRecord>>();
    this.#nodes.set(node, segments.set(segment, stored));
    this.#touch(stored.record.node, context);
  }

  delete(rest: string, context: ApplyContext): void {
    const [node = '', segment = ''] = rest.split('/');
    const segments = this.#nodes.get(node);
    const stored = segments?.get(segment);
    if (!segments || !stored) return;
    segments.delete(segment);
    if (segments.size === 0) this.#nodes.delete(node);
    this.#touch(stored.record.node, context);
  }

  check(_rest: string, entry: StoreEntry): void {
    storedJson(entry, RECORD);
  }

  clear(): void {
    this.#nodes.clear();
    this.#version = 0;
  }

  ofNode(node: string): string {
    return `${escapePart(node)}/`;
  }

  stored(node: string, segment: string): Stored<CoordinateRecord> | undefined {
    return this.#nodes.get(escapePart(node))?.get(escapePart(segment));
  }

  /** All, by node and segment. */
  entries(): CoordinateEntry[] {
    return [...this.#nodes.keys()].sort().flatMap((node) => this.#ofNode(node));
  }

  entriesOf(node: string): CoordinateEntry[] {
    return this.#ofNode(escapePart(node));
  }

  from(node: string): (other: string) => number {
    const own = this.#nodes.get(escapePart(node));
    if (!own) return UNKNOWN;
    return (other) => {
      // Coordinates are comparable within a segment only; which of several common ones is taken makes no difference.
      for (const [segment, { record }] of this.#nodes.get(escapePart(other)) ?? []) {
        const mine = own.get(segment);
        if (mine) return roundTripSeconds(mine.record.coordinate, record.coordinate);
      }
      return Number.POSITIVE_INFINITY;
    };
  }

  #ofNode(node: string): CoordinateEntry[] {
    const segments = [...(this.#nodes.get(node) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    return segments.map(([, { record }]) => ({ Node: record.node, Segment: record.segment, Coord: record.coordinate }));
  }

  #touch(node: string, context: ApplyContext): void {
    this.#version = context.index;
    context.bump(coordinateTopics.all, this.#nodes.size > 0);
    context.bump(coordinateTopics.node(node), this.#nodes.has(escapePart(node)));
  }
}
