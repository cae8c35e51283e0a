/** A server as others know it. */
export interface Peer {
  readonly name: string;
  /** Of its own port, `host:port`. */
  readonly address: string;
}

/** What a server tells others that ask it. */
export interface ServerCard extends Peer {
  /** The node's id. */
  readonly id: string;
  readonly datacenter: string;
  /** -bootstrap-expect; 0: it only joins. */
  readonly expect: number;
  /** `bootstrapping`: it alone begins the cluster, whatever it hears from now on. */
  readonly state: 'waiting' | 'bootstrapping' | 'formed';
  /** Etcd's, once formed; '' before. */
  readonly clusterId: string;
  /** The servers that it has heard of which wait to form a cluster, itself among them. */
  readonly knows: readonly Peer[];
}

/** What a server without a cluster does next. `why` is for people. */
export type Step =
  | { readonly kind: 'wait'; readonly why: string }
  | { readonly kind: 'bootstrap' }
  /** Into the cluster that the server at this address is in. */
  | { readonly kind: 'enter'; readonly through: string }
  | { readonly kind: 'refuse'; readonly why: string };

/**
 * How servers agree on who begins the cluster, without clocks and without I/O. Each tells the others which servers it
 * knows; that set only grows. The lowest name begins once as many as expected are known and each of them has said,
 * while it waited, that it knows exactly these. Two cannot both begin when they have a third in common or know each
 * other: the one that is asked would have had to forget a server.
 */
export class Formation {
  readonly #self: Omit<ServerCard, 'state' | 'clusterId' | 'knows'>;
  /** The servers that are counted, by address. */
  readonly #known = new Map<string, Peer>();
  readonly #cards = new Map<string, ServerCard>();
  #bootstraps = false;
  #clusterId = '';

  constructor(self: Omit<ServerCard, 'state' | 'clusterId' | 'knows'>) {
    this.#self = self;
    if (self.expect > 0) this.#known.set(self.address, { name: self.name, address: self.address });
  }

  /** What others are told. */
  card(): ServerCard {
    const state = this.#clusterId !== '' ? 'formed' : this.#bootstraps ? 'bootstrapping' : 'waiting';
    return { ...this.#self, state, clusterId: this.#clusterId, knows: this.#sorted() };
  }

  /** Servers to be asked besides those that are configured. */
  addresses(): string[] {
    return [...this.#known.keys()].filter((address) => address !== this.#self.address);
  }

  /** Takes what a server told, whether it was asked or asks. */
  heard(card: ServerCard): void {
    if (card.id === this.#self.id) return;
    this.#cards.set(card.address, card);
    if (card.state !== 'waiting' || card.expect === 0) return;
    for (const { name, address } of [card, ...card.knows]) {
      if (!this.#known.has(address)) this.#known.set(address, { name, address });
    }
  }

  /** Etcd's cluster of the server at an address; '' when it is not known. */
  clusterOf(address: string): string {
    return this.#cards.get(address)?.clusterId ?? '';
  }

  /** This server is in a cluster. */
  formed(clusterId: string): void {
    this.#clusterId = clusterId;
  }

  /** Decides; after `bootstrap` the card says so to everybody. */
  next(): Step {
    const step = this.#refusal() ?? this.#entry() ?? this.#agreement();
    if (step.kind === 'bootstrap') this.#bootstraps = true;
    return step;
  }

  #refusal(): Step | undefined {
    const { name, address, expect, datacenter } = this.#self;
    for (const card of this.#cards.values()) {
      if (card.datacenter !== datacenter) {
        const why = `${card.name} at ${card.address} is of datacenter ${card.datacenter}, this server of ${datacenter}; -retry-join must name servers of one datacenter`;
        return { kind: 'refuse', why };
      }
      if (card.name === name && card.address !== address) {
        const why = `two servers are named ${name}: this one at ${address} and one at ${card.address}; give one of them another -node`;
        return { kind: 'refuse', why };
      }
      if (card.state !== 'formed' && expect > 0 && card.expect > 0 && card.expect !== expect) {
        const why = `-bootstrap-expect is ${expect} here and ${card.expect} at ${card.name} (${card.address}); give all servers the same number`;
        return { kind: 'refuse', why };
      }
    }
    const formed = [...this.#cards.values()].filter(({ state }) => state === 'formed');
    const other = formed.find(({ clusterId }) => clusterId !== formed[0]!.clusterId);
    if (!other) return undefined;
    const both = [formed[0]!, other].map((card) => `${card.name} (${card.address}) in ${card.clusterId}`).join(', ');
    return {
      kind: 'refuse',
      why: `-retry-join names servers of two clusters: ${both}; name those of the one to join`,
    };
  }

  #entry(): Step | undefined {
    for (const card of this.#cards.values()) {
      if (card.state === 'formed') return { kind: 'enter', through: card.address };
      if (card.state === 'bootstrapping') return { kind: 'wait', why: `${card.name} begins the cluster` };
    }
    return undefined;
  }

  #agreement(): Step {
    const { name, address, expect } = this.#self;
    if (expect === 0)
      return {
        kind: 'wait',
        why: 'no server that -retry-join names is in a cluster, and -bootstrap-expect is not given',
      };
    const list = this.#sorted();
    const twice = list.find((peer, at) => list[at + 1]?.name === peer.name);
    if (twice) {
      const at = list.filter((peer) => peer.name === twice.name).map((peer) => peer.address);
      return {
        kind: 'refuse',
        why: `two servers are named ${twice.name}: at ${at.join(' and ')}; give one another -node`,
      };
    }
    if (list.length < expect) {
      const names = list.map((peer) => peer.name).join(', ');
      return { kind: 'wait', why: `${list.length} of ${expect} servers are known: ${names}` };
    }
    for (const peer of list) {
      if (peer.address === address) continue;
      const card = this.#cards.get(peer.address);
      if (!card) return { kind: 'wait', why: `${peer.name} at ${peer.address} has not answered` };
      if (!same(card.knows, list)) return { kind: 'wait', why: `${peer.name} does not know the same servers yet` };
    }
    if (list[0]!.name === name) return { kind: 'bootstrap' };
    return { kind: 'wait', why: `${list[0]!.name}, the lowest name, begins the cluster` };
  }

  #sorted(): Peer[] {
    return [...this.#known.values()].sort((a, b) => order(a.name, b.name) || order(a.address, b.address));
  }
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function same(a: readonly Peer[], b: readonly Peer[]): boolean {
  return (
    a.length === b.length && a.every(({ name, address }, at) => b[at]!.name === name && b[at]!.address === address)
  );
}
