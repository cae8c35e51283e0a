import { AppError } from '../../core/errors.ts';
import type { Key, KeyRange } from '../../store/store.ts';
import { prefixRange } from '../../store/store.ts';

/** Everything of the catalog lies under this prefix. */
const ROOT = 'catalog/';

/** The range that holds the whole catalog: what the state loads and follows. */
export const CATALOG_RANGE: KeyRange = prefixRange(ROOT);

/** What is added to the store's revision to give the catalog's index; raised when a catalog is restored or moved. */
export const INDEX_BASE_KEY: Key = `${ROOT}index-base`;

/**
 * The base of a catalog that has none stored. Indexes handed out are never below 1 (Consul), so the empty catalog at
 * revision 0 has index 1 and the first transaction 2: whoever has seen the empty catalog notices it.
 */
export const FIRST_INDEX_BASE = 1;

/** The generation whose records are the catalog; a restore writes the next one and flips this key. */
export const GENERATION_KEY: Key = `${ROOT}generation`;

/** Which server leads; every commit of a leader compares it. Beside the generations: a restore leaves it as it is. */
export const LEADER_KEY: Key = `${ROOT}leader`;
/** Put by the leader again and again, so that the others know that it is there. */
export const LEADER_BEAT_KEY: Key = `${ROOT}leader-beat`;
export const LEADER_RANGE: KeyRange = prefixRange(LEADER_KEY);

/** The generation of a catalog that was never restored. */
export const FIRST_GENERATION = '0';

/** What all keys of a generation begin with. */
export function generationPrefix(generation: string): string {
  return `${ROOT}${generation}/`;
}

/** The kinds of records, each under its own prefix. */
export type RecordKind = 'node' | 'nodeId' | 'instance' | 'checkDefinition' | 'checkState' | 'owner';

const SEGMENTS: Readonly<Record<RecordKind, string>> = {
  node: 'node',
  nodeId: 'node-id',
  instance: 'instance',
  checkDefinition: 'check-definition',
  checkState: 'check-state',
  owner: 'owner',
};

/** The segment under which the records of a kind lie. */
export function segmentOf(kind: RecordKind): string {
  return SEGMENTS[kind];
}

/** All kinds. */
export function recordKinds(): RecordKind[] {
  return Object.keys(SEGMENTS) as RecordKind[];
}

const KINDS = new Map(Object.entries(SEGMENTS).map(([kind, segment]) => [segment, kind as RecordKind]));

/** The kind whose records lie under a segment. */
export function kindOf(segment: string): RecordKind | undefined {
  return KINDS.get(segment);
}

/** A parsed key: its kind and its decoded, lower-case parts in key order. */
export interface ParsedKey {
  readonly generation: string;
  readonly kind: RecordKind;
  readonly parts: readonly string[];
}

/** The store's limit for keys in bytes. */
const MAX_KEY_BYTES = 1500;

/**
 * Builds the keys of one generation. Names compare without regard to case, so keys hold them in lower case; the node
 * comes before the namespace, so that one range holds everything of a node.
 */
export class CatalogKeys {
  readonly #prefix: string;
  /** With the segment of the kind. */
  readonly #prefixes: Readonly<Record<RecordKind, string>>;
  /** The last node and namespace, and both as parts of a key: several keys in a row are of the same ones. */
  #place = { node: '', namespace: '', parts: '/' };

  constructor(generation: string) {
    this.#prefix = generationPrefix(generation);
    const prefixes = recordKinds().map((kind) => [kind, `${this.#prefix}${SEGMENTS[kind]}/`]);
    this.#prefixes = Object.fromEntries(prefixes) as Record<RecordKind, string>;
  }

  node(name: string): Key {
    return this.#key('node', name);
  }
  /** Points from a node's UUID to its name. */
  nodeId(id: string): Key {
    return this.#key('nodeId', id);
  }
  instance(node: string, namespace: string, serviceId: string): Key {
    return this.#onNode('instance', node, namespace, serviceId);
  }
  checkDefinition(node: string, namespace: string, checkId: string): Key {
    return this.#onNode('checkDefinition', node, namespace, checkId);
  }
  checkState(node: string, namespace: string, checkId: string): Key {
    return this.#onNode('checkState', node, namespace, checkId);
  }
  owner(owner: string): Key {
    return this.#key('owner', owner);
  }
  /** Where something on a node lies, to be made once for all of its keys. */
  spot(node: string, namespace: string, id: string): RecordSpot {
    const local = `${namespace}/${id.toLowerCase()}`;
    return { first: node.toLowerCase(), local, rest: this.#rest(node, namespace, id) };
  }
  /** A key of what lies there. */
  at(kind: 'instance' | 'checkDefinition' | 'checkState', { rest }: RecordSpot): Key {
    return checkedLength(this.#prefixes[kind] + rest, 'Node, ID');
  }
  /** An entry of a table (`state-table.ts`): `rest` is the table's own and is taken as it is. */
  table(segment: string, rest: string): Key {
    return checkedLength(`${this.#prefix}${segment}/${rest}`, segment);
  }
  /** Everything of a table whose rest begins with `prefix`. */
  tableRange(segment: string, prefix = ''): KeyRange {
    return prefixRange(`${this.#prefix}${segment}/${prefix}`);
  }
  /** Everything of one kind that belongs to a node. */
  ofNode(kind: 'instance' | 'checkDefinition' | 'checkState', node: string): KeyRange {
    return prefixRange(`${this.#key(kind, node)}/`);
  }

  #key(kind: RecordKind, name: string): Key {
    return checkedLength(this.#prefixes[kind] + escapePart(name), 'Node');
  }

  #onNode(kind: RecordKind, node: string, namespace: string, id: string): Key {
    return checkedLength(this.#prefixes[kind] + this.#rest(node, namespace, id), 'Node, ID');
  }

  /** What follows the segment. */
  #rest(node: string, namespace: string, id: string): string {
    if (this.#place.node !== node || this.#place.namespace !== namespace) {
      this.#place = { node, namespace, parts: `${escapePart(node)}/${escapePart(namespace)}` };
    }
    return `${this.#place.parts}/${escapePart(id)}`;
  }
}

function checkedLength(key: Key, field: string): Key {
  if (key.length * 3 > MAX_KEY_BYTES && Buffer.byteLength(key) > MAX_KEY_BYTES) {
    throw new AppError('badRequest', `the names of this entry are too long: together at most about 1,400 bytes`, {
      facts: { field },
    });
  }
  return key;
}

/** A key's generation, the segment of its kind or table, and the rest as it is; undefined for a key that has none. */
export function splitKey(key: Key): { generation: string; segment: string; rest: string } | undefined {
  const generationEnd = key.indexOf('/', ROOT.length);
  const segmentEnd = generationEnd < 0 ? -1 : key.indexOf('/', generationEnd + 1);
  if (segmentEnd < 0 || !key.startsWith(ROOT)) return undefined;
  return {
    generation: key.slice(ROOT.length, generationEnd),
    segment: key.slice(generationEnd + 1, segmentEnd),
    rest: key.slice(segmentEnd + 1),
  };
}

/** The parts of a record's key, or undefined for a key that is no record. */
export function parseKey(key: Key): ParsedKey | undefined {
  const split = splitKey(key);
  const kind = split && KINDS.get(split.segment);
  return kind && { generation: split.generation, kind, parts: partsOf(split.rest) };
}

/** The parts of a record's key, from what follows its segment. */
function partsOf(rest: string): string[] {
  const parts = rest.split('/');
  return rest.includes('%') ? parts.map(unescapePart) : parts;
}

/** Where a record lies: its node, or its own name, and for what is on a node `namespace/id` (else ''). */
export interface RecordPlace {
  readonly first: string;
  readonly local: string;
}

/** The same with what its keys end in. */
export interface RecordSpot extends RecordPlace {
  readonly rest: string;
}

/** The place that a record's key names, from what follows its segment. */
export function placeOf(rest: string): RecordPlace {
  const cut = rest.indexOf('/');
  if (cut < 0) return { first: unescapePart(rest), local: '' };
  const next = rest.indexOf('/', cut + 1);
  const namespace = rest.slice(cut + 1, next < 0 ? undefined : next);
  const id = next < 0 ? '' : rest.slice(next + 1);
  // Joined anew: the runtime keeps all of a text for as long as a slice of it is kept.
  return { first: unescapePart(rest.slice(0, cut)), local: unescapePart(`${namespace}/${id}`) };
}

/** Whether `placeOf` finds a place: a key that nobody has made may hold escapes that cannot be read. */
export function hasPlace(rest: string): boolean {
  try {
    placeOf(rest);
    return true;
  } catch {
    return false;
  }
}

/** One part of a key: lower case, with what has a meaning in keys (or is not allowed there) percent-encoded. */
export function escapePart(part: string): string {
  const lower = part.toLowerCase();
  // Almost all names are plain: the first test is the cheap one.
  if (/^[a-z0-9._: -]*$/.test(lower)) return lower;
  if (!/[%/\p{Cc}\u{10FFFF}]/u.test(lower)) return lower;
  return lower.replace(/[%/\p{Cc}\u{10FFFF}]/gu, (character) => encodeURIComponent(character));
}

/** Undoes the escapes of `escapePart`, not its lower case. */
export function unescapePart(part: string): string {
  return part.includes('%') ? decodeURIComponent(part) : part;
}
