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
  /** `bootstrapping`: it begins a cluster or has data of one, whatever it hears from now on. */
  readonly state: 'waiting' | 'bootstrapping' | 'formed';
  /** Etcd's, once formed; '' before. */
  readonly clusterId: string;
  /** The servers that it has heard of which wait to form a cluster, itself among them. Older versions tell no ids. */
  readonly knows: readonly (Peer & Partial<KnownServer>)[];
}

/** A server that is counted. */
export interface KnownServer extends Peer {
  /** The node's id, which goes with its disk; '' until it has answered. */
  readonly id: string;
}

/** As many servers are counted at most; etcd is meant for seven members. */
export const MAX_SERVERS = 100;

/**
 * The servers that wait to form a cluster, as one of them has heard, and what each has said itself. A name that is counted
 * stays counted; what is known of it follows the server to another address.
 */
export class KnownServers {
  readonly #self: KnownServer;
  readonly #counted = new Map<string, KnownServer>();
  /** By address; those that do not answer stand last. */
  readonly #cards = new Map<string, ServerCard>();
  readonly #silent = new Set<string>();
  /** By name: whose answer counted last, and when. */
  readonly #answered = new Map<string, Peer & { readonly id: string; readonly at: number }>();
  /** Questions and answers, in their order. */
  #ticks = 0;

  /** With the servers that were counted before a restart. The server itself is among them when it is or was counted. */
  constructor(self: KnownServer, before: readonly KnownServer[], counted: boolean) {
    this.#self = self;
    const others = before.filter(({ name, id }) => name !== self.name && id !== self.id);
    for (const one of others) this.#count(one);
    if (counted || others.length < before.length) this.#count(self);
  }

  get cards(): ServerCard[] {
    return [...this.#cards.values()];
  }

  /** Those that are in a cluster; who answers comes first. */
  get formed(): ServerCard[] {
    return this.cards.filter(({ state }) => state === 'formed');
  }

  /** Those that are counted, by name and address. */
  get counted(): KnownServer[] {
    return [...this.#counted.values()].sort((a, b) => order(a.name, b.name) || order(a.address, b.address));
  }

  cardAt(address: string): ServerCard | undefined {
    return this.#cards.get(address);
  }

  /** What a server that is counted said itself. */
  cardOf({ name, address }: Peer): ServerCard | undefined {
    const card = this.#cards.get(address);
    return card?.name === name ? card : undefined;
  }

  /** Whether it is this server, or answered when it was asked last. */
  answers(peer: Peer): boolean {
    const { name, address } = this.#self;
    if (peer.address === address) return peer.name === name;
    return this.cardOf(peer) !== undefined && !this.#silent.has(peer.address);
  }

  /** What a server says that asks may be old when it comes: it only tells that there is one to be asked. */
  asked(card: ServerCard): void {
    if (counts(card)) this.#heardOf({ name: card.name, address: card.address });
  }

  /** When a question is asked. */
  question(): number {
    return ++this.#ticks;
  }

  /**
   * Takes what a server answered to a question of this process. False when that does not count: another disk or address
   * of its name has answered while it was under way, and which of the two spoke first is not known.
   */
  heard(card: ServerCard, question: number): boolean {
    const { id, name, address } = card;
    const last = this.#answered.get(name);
    if (last && last.at > question && (last.id !== id || last.address !== address)) return false;
    this.#answered.set(name, { id, name, address, at: ++this.#ticks });
    this.#silent.delete(address);
    for (const old of this.cards) if (old.id === id && old.address !== address) this.#cards.delete(old.address);
    this.#cards.set(address, card);
    const before = this.counted.find((one) => one.id === id);
    if (before) this.#counted.delete(keyOf(before));
    if (before || counts(card) || this.#counted.has(keyOf(card))) this.#count({ id, name, address });
    if (counts(card)) for (const peer of card.knows) this.#heardOf(peer);
    this.#settle();
    return true;
  }

  /** No server answers at the address. */
  silent(address: string): void {
    this.#silent.add(address);
    const card = this.#cards.get(address);
    if (card) {
      this.#cards.delete(address);
      this.#cards.set(address, card);
    }
    this.#settle();
  }

  /** What is said of a server counts until it answers; what is said of this one is old. */
  #heardOf(peer: ServerCard['knows'][number]): void {
    if (this.#counted.has(keyOf(peer)) || this.#counted.size >= MAX_SERVERS) return;
    if (peer.name === this.#self.name || this.#successor(peer)) return;
    // It has had that name before.
    if (peer.id && (peer.id === this.#self.id || this.#named(peer))) return;
    this.#count({ name: peer.name, address: peer.address, id: '' });
  }

  /** Where a server does not answer any more, and one of its name answers elsewhere, the latter is meant. */
  #settle(): void {
    for (const [key, peer] of this.#counted) {
      const { address } = peer;
      const heard = this.#silent.has(address) || this.#cards.has(address) || address === this.#self.address;
      if (heard && !this.answers(peer) && this.#successor(peer)) this.#counted.delete(key);
    }
  }

  /** Whether a server has answered at the address by another name. */
  #named({ id, address }: Partial<KnownServer>): boolean {
    return this.counted.some((one) => one.id === id && one.address === address);
  }

  #successor({ name, address }: Peer): KnownServer | undefined {
    return this.counted.find((one) => one.name === name && one.address !== address && this.answers(one));
  }

  #count(server: KnownServer): void {
    this.#counted.set(keyOf(server), server);
  }
}

/** Whether it waits to form a cluster. */
function counts({ state, expect }: ServerCard): boolean {
  return state === 'waiting' && expect > 0;
}

function keyOf({ name, address }: Peer): string {
  return `${name} ${address}`;
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
