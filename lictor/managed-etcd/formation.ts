import { type KnownServer, KnownServers, MAX_SERVERS, type Peer, type ServerCard } from './known-servers.ts';

/** What a server says of itself before it is in a cluster. */
export type SelfCard = Omit<ServerCard, 'state' | 'clusterId' | 'knows'>;

/** A server in a cluster. */
export interface FormedPeer extends Peer {
  /** Etcd's. */
  readonly clusterId: string;
}

/** What a server may not forget by a restart while it forms a cluster. */
export interface FormationMemory {
  /** It begins a cluster, or has data of one. */
  readonly pledged: boolean;
  /** The servers that it has told others it knows. */
  readonly counted: readonly KnownServer[];
  /** One that was in a cluster when it was heard of: this server begins none any more. */
  readonly formed?: FormedPeer | undefined;
}

/** What a server without a cluster does next. `why` is for people. */
export type Step =
  | { readonly kind: 'wait'; readonly why: string }
  | { readonly kind: 'bootstrap' }
  /** Into the cluster that the server at this address is in. */
  | { readonly kind: 'enter'; readonly through: string }
  | { readonly kind: 'refuse'; readonly why: string };

const NOTHING: FormationMemory = { pledged: false, counted: [] };

/**
 * How servers agree on who begins the cluster, without clocks and without I/O. Each tells the others which servers it
 * knows, by the ids that go with their disks; no name leaves that set, and no id comes back that another one has replaced.
 * The lowest name begins once as many as expected are known and each of them has answered, while it waited, that it knows
 * exactly these.
 *
 * Two servers that keep their disks never both begin when somebody who agreed to both has kept its disk, too. For what that
 * one said later names the disks of whoever agreed earlier, so the later one of the two has an answer of the earlier one
 * from before that began: each knew the other, and only one of the names is the lowest. This holds if
 * - `memory` is on disk before `card` is told and before `bootstrap` is carried out,
 * - `heard` takes answers to questions of this process alone, with the question that each belongs to,
 * - servers keep their names while they form a cluster, and no two have the same,
 * - all tell ids (older versions do not; they agree by names and addresses).
 */
export class Formation {
  readonly #self: SelfCard;
  readonly #servers: KnownServers;
  #pledged: boolean;
  #formed: FormedPeer | undefined;
  #clusterId = '';

  constructor(self: SelfCard, memory: FormationMemory = NOTHING) {
    this.#self = self;
    this.#pledged = memory.pledged;
    this.#formed = memory.formed;
    const { id, name, address } = self;
    this.#servers = new KnownServers({ id, name, address }, memory.counted, self.expect > 0);
  }

  /** What others are told. */
  card(): ServerCard {
    const state = this.#clusterId !== '' ? 'formed' : this.#pledged ? 'bootstrapping' : 'waiting';
    const knows = this.#servers.counted;
    return { ...this.#self, state, clusterId: this.#clusterId, knows };
  }

  memory(): FormationMemory {
    return { pledged: this.#pledged, counted: this.#servers.counted, formed: this.#formed };
  }

  /** Whether it has heard of no other server since it started. */
  get alone(): boolean {
    return this.#servers.cards.length === 0;
  }

  /** Servers to be asked besides those that are configured. */
  addresses(): string[] {
    const all = new Set(this.#servers.counted.map(({ address }) => address));
    if (this.#formed) all.add(this.#formed.address);
    all.delete(this.#self.address);
    return [...all];
  }

  /** Takes what a server told that asks: it is asked itself from now on. */
  asked(card: ServerCard): void {
    if (card.id !== this.#self.id) this.#servers.asked(card);
  }

  /** Called before a server is asked; gives what `heard` takes with the answer. */
  question(): number {
    return this.#servers.question();
  }

  /**
   * Takes what a server answered. False when it may have been overtaken by what another disk or address of its name has
   * answered since it was asked: that does not count, and it is to be asked again.
   */
  heard(card: ServerCard, question: number): boolean {
    if (card.id === this.#self.id) return true;
    if (!this.#servers.heard(card, question)) return false;
    const { name, address, clusterId } = card;
    if (card.state !== 'formed' || (this.#formed && this.#formed.address !== address)) return true;
    this.#formed = { name, address, clusterId };
    return true;
  }

  /** No server answers at the address. */
  silent(address: string): void {
    this.#servers.silent(address);
  }

  /** Etcd's cluster of the server at an address; '' when it is not known. */
  clusterOf(address: string): string {
    return this.#servers.cardAt(address)?.clusterId ?? '';
  }

  /** `host:port` of the other servers that have been heard of, by name. */
  get places(): Map<string, string> {
    return new Map(this.#servers.cards.map(({ name, address }) => [name, address]));
  }

  /** This server is in a cluster. */
  formed(clusterId: string): void {
    this.#clusterId = clusterId;
  }

  /** Its data of a cluster that it was taken out of are away: it enters anew, and begins none, as it has heard of that. */
  dataSetAside(): void {
    this.#pledged = false;
  }

  /** Decides; after `bootstrap` the card says so to everybody. */
  next(): Step {
    const step = this.#pledge() ?? this.#refusal() ?? this.#entry() ?? this.#agreement();
    if (step.kind === 'bootstrap') this.#pledged = true;
    return step;
  }

  /** A pledge holds until another cluster is there: nobody can have entered one that has not come to be. */
  #pledge(): Step | undefined {
    return this.#pledged && this.#servers.formed.length === 0 ? { kind: 'bootstrap' } : undefined;
  }

  #refusal(): Step | undefined {
    const { name, address, expect, datacenter } = this.#self;
    for (const card of this.#servers.cards) {
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
    const formed: FormedPeer[] = [...(this.#formed ? [this.#formed] : []), ...this.#servers.formed];
    const other = formed.find(({ clusterId }) => clusterId !== formed[0]!.clusterId);
    if (!other) return undefined;
    const both = [formed[0]!, other].map((card) => `${card.name} (${card.address}) in ${card.clusterId}`).join(', ');
    return {
      kind: 'refuse',
      why: `-retry-join names servers of two clusters: ${both}; name those of the one to join`,
    };
  }

  #entry(): Step | undefined {
    const { formed, cards } = this.#servers;
    if (formed[0]) return { kind: 'enter', through: formed[0].address };
    const begins = cards.find(({ state }) => state === 'bootstrapping');
    if (begins) return { kind: 'wait', why: `${begins.name} begins the cluster` };
    if (!this.#formed) return undefined;
    const { name, address, clusterId } = this.#formed;
    return { kind: 'wait', why: `${name} at ${address}, which was in cluster ${clusterId}, does not answer` };
  }

  #agreement(): Step {
    const { name, address, expect } = this.#self;
    if (expect === 0)
      return {
        kind: 'wait',
        why: 'no server that -retry-join names is in a cluster, and -bootstrap-expect is not given',
      };
    const list = this.#servers.counted;
    const twice = list.find((peer, at) => list[at + 1]?.name === peer.name);
    if (twice) return this.#twice(list.filter((peer) => peer.name === twice.name));
    if (list.length >= MAX_SERVERS) {
      return { kind: 'refuse', why: `${list.length} servers are named; a cluster has five or seven at most` };
    }
    if (list.length < expect) {
      const names = list.map((peer) => peer.name).join(', ');
      return { kind: 'wait', why: `${list.length} of ${expect} servers are known: ${names}` };
    }
    for (const peer of list) {
      if (peer.address === address) continue;
      const card = this.#servers.cardOf(peer);
      if (!card) return { kind: 'wait', why: `${peer.name} at ${peer.address} has not answered` };
      if (!same(card.knows, list)) return { kind: 'wait', why: `${peer.name} does not know the same servers yet` };
    }
    if (list[0]!.name === name) return { kind: 'bootstrap' };
    return { kind: 'wait', why: `${list[0]!.name}, the lowest name, begins the cluster` };
  }

  /** Two that answer are two servers. Otherwise one has moved, and whoever asks it finds out. */
  #twice(peers: readonly Peer[]): Step {
    const { name } = peers[0]!;
    const at = peers.map(({ address }) => address).join(' and ');
    if (peers.every((peer) => this.#servers.answers(peer))) {
      return { kind: 'refuse', why: `two servers are named ${name}: at ${at}; give one another -node` };
    }
    return { kind: 'wait', why: `${name} was at ${at}, and it is not known where it is now` };
  }
}

function same(told: ServerCard['knows'], known: readonly KnownServer[]): boolean {
  return told.length === known.length && told.every((one, at) => isSame(one, known[at]!));
}

function isSame({ name, address, id }: ServerCard['knows'][number], known: KnownServer): boolean {
  return name === known.name && address === known.address && (id ?? known.id) === known.id;
}
