import { canonicalAddress } from '../../core/ip-address.ts';
import { SetMap } from '../../core/set-map.ts';
import type { NodeEntry } from './entries.ts';
import type { CatalogState } from './state.ts';

/** Finds nodes by their IP address (in its canonical form); built and kept like `instance-index.ts`. */
export class NodeAddressIndex {
  readonly #state: CatalogState;
  #byAddress: SetMap<string, NodeEntry> | undefined;
  /** Under which address a node is listed. */
  #listed = new Map<NodeEntry, string>();

  constructor(deps: { state: CatalogState }) {
    this.#state = deps.state;
    deps.state.onReset(() => {
      this.#byAddress = undefined;
    });
    deps.state.onChanges((changes) => {
      if (!this.#byAddress) return;
      for (const node of changes.nodes) this.#update(node);
    });
  }

  /** The first by name of the nodes with this address. */
  find(address: string): NodeEntry | undefined {
    if (!this.#byAddress) this.#build();
    let first: NodeEntry | undefined;
    for (const node of this.#byAddress!.get(address)) if (!first || node.key < first.key) first = node;
    return first;
  }

  #build(): void {
    this.#byAddress = new SetMap();
    this.#listed = new Map();
    for (const node of this.#state.nodeEntries()) this.#update(node);
  }

  #update(node: NodeEntry): void {
    const address = node.stored && canonicalAddress(node.stored.record.address);
    const before = this.#listed.get(node);
    if (before === address) return;
    if (before !== undefined) {
      this.#byAddress!.delete(before, node);
      this.#listed.delete(node);
    }
    if (address === undefined) return;
    this.#listed.set(node, address);
    this.#byAddress!.add(address, node);
  }
}
