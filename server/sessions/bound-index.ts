import { SetMap } from '../../core/set-map.ts';
import { boundKeys } from './session-rules.ts';
import type { SessionEntry } from './session-table.ts';

/** Which sessions are bound to a node, and to its checks. */
export class BoundIndex {
  readonly #byNode = new SetMap<string, SessionEntry>();
  /** By node and the check's key on it. */
  readonly #byCheck = new SetMap<string, SessionEntry>();

  add(entry: SessionEntry): void {
    const node = nodeOf(entry);
    this.#byNode.add(node, entry);
    for (const check of checksOf(entry)) this.#byCheck.add(checkKey(node, check), entry);
  }

  delete(entry: SessionEntry): void {
    const node = nodeOf(entry);
    this.#byNode.delete(node, entry);
    for (const check of checksOf(entry)) this.#byCheck.delete(checkKey(node, check), entry);
  }

  clear(): void {
    this.#byNode.clear();
    this.#byCheck.clear();
  }

  onNode(node: string): Iterable<SessionEntry> {
    return this.#byNode.get(node.toLowerCase());
  }

  hasNode(node: string): boolean {
    return this.#byNode.has(node.toLowerCase());
  }

  /** Also those that name a check by this key, while they are bound to one of that id elsewhere: see `boundChecks`. */
  onCheck(node: string, check: string): Iterable<SessionEntry> {
    return this.#byCheck.get(checkKey(node.toLowerCase(), check));
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
