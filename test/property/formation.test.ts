import fc from 'fast-check';
import { Formation, type FormationMemory } from '../../lictor/managed-etcd/formation.ts';
import type { ServerCard } from '../../lictor/managed-etcd/known-servers.ts';

interface Disk {
  readonly id: string;
  memory?: FormationMemory;
  /** With whose disks its pledge was agreed on. */
  agreed?: ReadonlySet<string>;
  /** Of a cluster that it has begun and that may not serve yet. */
  data?: string;
  /** The one that it is in. */
  cluster?: string;
}

/** A server with its disk, which outlives its process, and all that it has said. */
class Server {
  readonly name: string;
  readonly expect: number;
  readonly joins: readonly string[];
  /** Another disk is another server to everybody that remembers it. */
  disk: Disk;
  moves = 0;
  up: Formation | undefined;
  /** Whose disk answered last at an address, as this process has heard. */
  heardIds = new Map<string, string>();
  /** Names and addresses with a question of this process under way. */
  asking = new Set<string>();

  constructor(name: string, expected: number, joins: readonly string[]) {
    this.name = name;
    this.expect = expected;
    this.joins = joins;
    this.disk = { id: `${name}#0` };
  }

  get address(): string {
    return `${this.name}.${this.moves}:8300`;
  }

  start(): void {
    const { name, address, expect: expected } = this;
    const { id, memory, data } = this.disk;
    const self = { name, id, address, datacenter: 'dc1', expect: expected };
    // As the process does it: one with data of a cluster never waits to form one.
    this.up = new Formation(self, data === undefined ? memory : { pledged: true, counted: [] });
    this.heardIds = new Map();
    this.asking = new Set();
    if (this.disk.cluster !== undefined) this.up.formed(this.disk.cluster);
  }

  /** What others are told is on disk before. */
  card(): ServerCard {
    if (this.disk.cluster === undefined) this.disk.memory = structuredClone(this.up!.memory());
    return structuredClone(this.up!.card());
  }

  hears(card: ServerCard, question: number): void {
    if (this.up!.heard(card, question)) this.heardIds.set(card.address, card.id);
  }
}

interface Begun {
  readonly by: Server;
  readonly id: string;
  /** The disks that agreed. */
  readonly agreed: ReadonlySet<string>;
}

/** A question, which comes whenever it comes, or the answer to it, which only the process hears that has asked. */
interface Message {
  /** As it was asked: by a name, which leads to wherever the server is, or by an address. */
  readonly origin: string;
  readonly card: ServerCard;
  readonly asker: Formation;
  /** Of the asker's. */
  readonly question: number;
  readonly answer: boolean;
}

const DEATHS = ['no', 'no', 'before it is on disk', 'before etcd has data', 'before it is formed'] as const;
type Death = (typeof DEATHS)[number];

/** Any number of servers, messages that are lost and late, and processes and disks that are lost. */
class World {
  readonly servers: Server[];
  readonly begun: Begun[] = [];
  #underWay: Message[] = [];
  #clusters = 0;

  constructor(servers: Server[]) {
    this.servers = servers;
  }

  at(origin: string): Server | undefined {
    return this.servers.find((one) => one.up && (one.address === origin || one.name === origin));
  }

  /** Sends its card to those that it knows; who is nowhere is silent. */
  ask(server: Server): void {
    if (!server.up || server.disk.cluster !== undefined) return;
    for (const origin of new Set([...server.joins, ...server.up.addresses()])) {
      if (origin === server.name || server.asking.has(origin)) continue;
      server.asking.add(origin);
      const { up } = server;
      this.#underWay.push({ origin, card: server.card(), asker: up, question: up.question(), answer: false });
    }
  }

  deliver(pick: number, lost: boolean): void {
    const [message] = this.#underWay.splice(pick % Math.max(1, this.#underWay.length), 1);
    if (!message) return;
    const { origin, card, asker, question, answer } = message;
    const server = this.at(origin);
    const asking = this.servers.find(({ up }) => up === asker);
    if (answer) {
      asking?.asking.delete(origin);
      if (!lost) asking?.hears(card, question);
    } else if (!lost && server) {
      server.up!.asked(card);
      this.#underWay.push({ origin, card: server.card(), asker, question, answer: true });
    } else {
      // Its deadline is over, or it is refused: then the asker hears that nobody is there.
      asking?.asking.delete(origin);
      if (!lost) asker.silent(origin);
    }
  }

  /** One decision; `dies` says after what. */
  step(server: Server, dies: Death): void {
    const { up, disk } = server;
    if (!up || disk.cluster !== undefined) return;
    if (disk.data !== undefined) {
      this.#formed(server, disk.data);
      return;
    }
    const step = up.next();
    if (step.kind === 'enter') this.#enter(server, step.through);
    else if (step.kind === 'bootstrap') this.#bootstrap(server, dies);
    // Its supervisor starts it again.
    else if (step.kind === 'refuse') this.crash(server);
  }

  #enter(server: Server, through: string): void {
    const other = this.at(through);
    if (other?.disk.cluster !== undefined) this.#formed(server, other.disk.cluster);
    else server.up!.silent(through);
  }

  #bootstrap(server: Server, dies: Death): void {
    const { disk } = server;
    if (dies !== 'before it is on disk') {
      disk.memory = structuredClone(server.up!.memory());
      disk.agreed ??= new Set([disk.id, ...server.up!.addresses().map((address) => server.heardIds.get(address)!)]);
    }
    if (dies === 'before it is on disk' || dies === 'before etcd has data') {
      this.crash(server);
      return;
    }
    disk.data = `${++this.#clusters}`;
    this.begun.push({ by: server, id: disk.id, agreed: disk.agreed! });
    if (dies === 'before it is formed') this.crash(server);
    else this.#formed(server, disk.data);
  }

  crash(server: Server): void {
    server.up = undefined;
  }

  loseDisk(server: Server, times: number): void {
    server.up = undefined;
    server.disk = { id: `${server.name}#${times}` };
  }

  /** Everything works from now on: all are asked and answer, until nobody has anything to do. */
  settle(rounds: number): void {
    this.#underWay = [];
    for (const { asking } of this.servers) asking.clear();
    for (let round = 0; round < rounds; round++) {
      for (const server of this.servers) {
        if (!server.up) server.start();
        this.ask(server);
        while (this.#underWay.length > 0) this.deliver(0, false);
        this.step(server, 'no');
      }
    }
  }

  /** Those begun on disks that are still there. */
  alive(): Begun[] {
    return this.begun.filter(({ by, id }) => by.disk.id === id);
  }

  #formed(server: Server, cluster: string): void {
    server.up!.formed(cluster);
    server.disk = { id: server.disk.id, cluster, data: cluster };
  }
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];

type Event = readonly [kind: number, server: number, pick: number];

function play(world: World, events: readonly Event[], faults: { disks: boolean }): void {
  let lost = 0;
  for (const [kind, at, pick] of events) {
    const server = world.servers[at % world.servers.length]!;
    if (kind < 15) world.ask(server);
    else if (kind < 72) world.deliver(pick, kind >= 70);
    else if (kind < 90) {
      world.step(server, DEATHS[pick % DEATHS.length]!);
    } else if (kind < 92) world.crash(server);
    else if (kind === 92 && !server.up) server.moves += 1;
    else if (kind === 93 && faults.disks) world.loseDisk(server, ++lost);
    else if (!server.up) server.start();
  }
}

/** Makes worlds, each time anew: what is tried again begins as it was. */
function worlds(): fc.Arbitrary<() => World> {
  const joins = fc.array(fc.array(fc.nat(5), { minLength: 1, maxLength: 3 }), { minLength: 6, maxLength: 6 });
  const any = fc.record({ count: fc.integer({ min: 2, max: 6 }), expected: fc.integer({ min: 2, max: 6 }), joins });
  // Pairs that know nothing of each other, so that clusters without anybody in common are begun too.
  const pairs = fc.constant({ count: 6, expected: 2, joins: [[1], [0], [3], [2], [5], [4]] });
  return fc.oneof({ arbitrary: any, weight: 4 }, { arbitrary: pairs, weight: 1 }).map((w) => () => {
    const names = NAMES.slice(0, w.count);
    const expected = Math.min(w.expected, w.count);
    const named = (list: readonly number[]) => list.map((at) => names[at % w.count]!);
    const servers = names.map((name, at) => new Server(name, expected, named(w.joins[at]!)));
    // The others come late.
    for (const server of servers.slice(0, expected)) server.start();
    return new World(servers);
  });
}

const EVENTS = fc.array(fc.tuple(fc.nat(99), fc.nat(5), fc.nat(1000)), { size: 'max', maxLength: 400 });

describe('servers that form a cluster', () => {
  it('never begin two when those who agreed to both have one in common that has kept its disk', () => {
    let pairs = 0;
    fc.assert(
      fc.property(worlds(), EVENTS, (make, events) => {
        const world = make();
        play(world, events, { disks: true });
        const alive = world.alive();
        for (const one of alive) {
          for (const other of alive) {
            if (one === other) continue;
            pairs += 1;
            expect([...one.agreed].filter((id) => other.agreed.has(id))).toEqual([]);
          }
        }
      }),
      { numRuns: 2000 },
    );
    // Those without anybody in common may; else nothing was looked at.
    expect(pairs).toBeGreaterThan(0);
  });

  it('come to one cluster in the end when all can talk, whatever was lost before but disks', () => {
    let begun = 0;
    fc.assert(
      fc.property(worlds(), EVENTS, (make, events) => {
        const world = make();
        // So many are expected that any two such sets have a server in common, and all are told to ask the first one.
        const { length } = world.servers;
        const expected = Math.max(world.servers[0]!.expect, Math.floor(length / 2) + 1);
        const servers = world.servers.map(({ name, joins }) => new Server(name, expected, [...joins, 'a']));
        const all = new World(servers);
        for (const server of servers.slice(0, expected)) server.start();
        play(all, events, { disks: false });
        all.settle(12);
        expect(all.begun.length).toBe(1);
        expect(servers.map(({ disk }) => disk.cluster)).toEqual(servers.map(() => '1'));
        begun += 1;
      }),
      { numRuns: 1000 },
    );
    expect(begun).toBe(1000);
  });
});
