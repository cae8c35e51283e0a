import { boundKeys } from './session-rules.ts';
import type { SessionEntry } from './session-table.ts';

/** Which sessions are bound to a node, and to its checks. */
export class BoundIndex {
  readonly #byNode = new Map<string, Set<SessionEntry>>();
  /** By node and the check's key on it. */
  readonly #byCheck = new Map<string, Set<SessionEntry>>();

  add(entry: SessionEntry): void {
    const node = nodeOf(entry);
    add(this.#byNode, node, entry);
    for (const check of checksOf(entry)) add(this.#byCheck, checkKey(node, check), entry);
  }

  delete(entry: SessionEntry): void {
    const node = nodeOf(entry);
    remove(this.#byNode, node, entry);
    for (const check of checksOf(entry)) remove(this.#byCheck, checkKey(node, check), entry);
  }

  clear(): void {
    this.#byNode.clear();
    this.#byCheck.clear();
  }

  onNode(node: string): Iterable<SessionEntry> {
    return this.#byNode.get(node.toLowerCase()) ?? [];
  }

  hasNode(node: string): boolean {
    return this.#byNode.has(node.toLowerCase());
  }

  /** Also those that name a check by this key, while they are bound to one of that id elsewhere: see `boundChecks`. */
  onCheck(node: string, check: string): Iterable<SessionEntry> {
    return this.#byCheck.get(checkKey(node.toLowerCase(), check)) ?? [];
  }
}

function nodeOf({ shape }: SessionEntry): string {
  return shape.Node.toLowerCase();
}

function checksOf({ stored }: SessionEntry): Set<string> {
  return boundKeys(stored.record.content, stored.record.namespace);
}

function checkKey(node: string, check: string): string {
  return `${node}/${check}`;
}

function add(index: Map<string, Set<SessionEntry>>, key: string, entry: SessionEntry): void {
  const found = index.get(key);
  if (found) found.add(entry);
  else index.set(key, new Set([entry]));
}

function remove(index: Map<string, Set<SessionEntry>>, key: string, entry: SessionEntry): void {
  const found = index.get(key);
  found?.delete(entry);
  if (found?.size === 0) index.delete(key);
}
