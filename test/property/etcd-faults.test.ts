import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { SeededRandom } from '../../core/random.ts';
import { at, EVERYTHING, put } from '../../store/contract/shorthand.ts';
import { CommitQueue } from '../../store/etcd/commit-queue.ts';
import { Follower } from '../../store/etcd/follower.ts';
import { decodeHead, decodeRoot, entryRevisions, Layout } from '../../store/etcd/layout.ts';
import { Loader } from '../../store/etcd/loader.ts';
import { loadKnown } from '../../store/etcd/opener.ts';
import { Replica } from '../../store/etcd/replica.ts';
import { Restorer } from '../../store/etcd/restorer.ts';
import { writeSnapshot } from '../../store/snapshot-format.ts';
import type { Revision } from '../../store/store.ts';
import { FakeEtcd } from '../support/etcd/fake-etcd.ts';
import { FaultyEtcdClient } from '../support/etcd/faulty-etcd-client.ts';

/*
 * Three processes' worth of the engine write to one etcd, whose answers are lost, late or refusals, and whose watches are
 * late, end or starve, while the processes are stopped at times, history is compacted and snapshots are restored. A minute of that
 * by a clock of its own; then nothing fails any more, and what they were told must be what etcd has.
 */
const RUNS = Number(process.env.LICTOR_ETCD_FAULT_RUNS ?? 4);
const FIRST_SEED = Number(process.env.LICTOR_ETCD_FAULT_SEED ?? 1);
const SERVERS = 3;
const WRITERS = 3;
const STEPS = 3000;
const STEP_MS = 20;
const SETTLE_STEPS = 2500;
const COMPACT_EVERY = 150;
const RESTORE_EVERY = 300;
const STALL = 0.002;
const STALL_MS = 20_000;
const COUNTER = 'counter';
/** What a commit may end with when etcd fails. */
const COMMIT_ERRORS = ['unavailable', 'outcomeUnknown', 'storeReadOnly'];
const RESTORE_ERRORS = [...COMMIT_ERRORS, 'conflict', 'deadline'];
const layout = new Layout('t/');
const log = silentLogger;

interface World {
  readonly etcd: FakeEtcd;
  readonly clock: FakeClock;
  readonly stopping: AbortSignal;
  /** What should not have been. */
  readonly problems: string[];
  readonly outcomes: Outcomes;
  faulty: boolean;
  /** No further commits begin. */
  closing: boolean;
}

/** What the writers were told. */
interface Outcomes {
  /** By each one's own key: the revision of its commit, or the code of its error. */
  readonly commits: Map<string, Revision | string>;
  /** The counter's revision that each increment compared. */
  readonly increments: Revision[];
  readonly restores: (Revision | string)[];
}

function codeOf(error: unknown): string {
  return error instanceof AppError ? error.code : `${error}`;
}

/** One process: the engine but for its connection. */
class Server {
  readonly name: string;
  readonly replica: Replica;
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #queue: CommitQueue;
  readonly #restorer: Restorer;
  #lastRevision = 0;

  static async start(world: World, name: string, seed: number): Promise<Server> {
    const { etcd, clock } = world;
    const random = new SeededRandom(seed);
    const client = new FaultyEtcdClient({ etcd, clock, random, faulty: () => world.faulty });
    const loader = new Loader(client, layout);
    const { content, at: from } = await loadKnown({ client, loader, layout, clock, random, log }, undefined);
    const replica = new Replica(content, { maxRevisions: 1e5, maxBytes: 1e9 });
    const follower = new Follower({ client, loader, replica, clock, random, log }, { from: from + 1, probeMs: 5000 });
    const deps = { client, loader, replica, follower, clock, random };
    const queue = new CommitQueue(deps, { maxOps: 100, commitMs: 7000, attemptMs: 2000 });
    const restorer = new Restorer({ client, loader, replica, queue, layout, clock, random, log });
    follower.run(world.stopping).catch((error) => world.problems.push(`${name} follows no more: ${error}`));
    return new Server({ world, name, random, replica, queue, restorer });
  }

  private constructor(parts: {
    world: World;
    name: string;
    random: SeededRandom;
    replica: Replica;
    queue: CommitQueue;
    restorer: Restorer;
  }) {
    this.name = parts.name;
    this.replica = parts.replica;
    this.#world = parts.world;
    this.#random = parts.random;
    this.#queue = parts.queue;
    this.#restorer = parts.restorer;
  }

  /** Commits one after another until the world closes; about half of them also count. */
  async write(writer: number): Promise<void> {
    const { clock, outcomes } = this.#world;
    for (let n = 0; !this.#world.closing; n++) {
      const key = `own/${this.name}${writer}-${n}`;
      try {
        outcomes.commits.set(key, await this.#commit(key));
      } catch (error) {
        const code = codeOf(error);
        outcomes.commits.set(key, code);
        if (!COMMIT_ERRORS.includes(code)) this.#blame(`${key} ended with ${error}`);
      }
      await clock.sleep(this.#random.next() * 200);
    }
  }

  /** The revision, or `refused`. */
  async #commit(key: string): Promise<Revision | string> {
    const counts = this.#random.next() < 0.5;
    const counter = this.replica.content.index.get(COUNTER)?.modRevision ?? 0;
    const result = await this.#queue.commit({
      compares: [at(key, 0), ...(counts ? [at(COUNTER, counter)] : [])],
      ops: [put(key, key), ...(counts ? [put(COUNTER, key)] : [])],
    });
    const { revision } = result;
    if (!result.ok && result.failedCompare === 0) this.#blame(`${key} was there before it was put`);
    if (!result.ok) return 'refused';
    if (counts) this.#world.outcomes.increments.push(counter);
    if (this.replica.revision < revision) this.#blame(`${key} is at ${revision}, of which its server does not know`);
    return revision;
  }

  /** Puts a snapshot with nothing but the counter in the place of everything. */
  async restore(): Promise<void> {
    const { restores } = this.#world.outcomes;
    const entry = { key: COUNTER, value: Buffer.from('restored'), createRevision: 1, modRevision: 1 };
    try {
      restores.push(await this.#restorer.restore(writeSnapshot(this.replica.revision, [[entry]])));
    } catch (error) {
      restores.push(codeOf(error));
      if (!RESTORE_ERRORS.includes(codeOf(error))) this.#blame(`a restore ended with ${error}`);
    }
  }

  /** Watches as the catalog does: every revision, or word that some are missing. */
  async watch(): Promise<void> {
    const { stopping } = this.#world;
    let known = this.replica.revision;
    while (!stopping.aborted) {
      try {
        for await (const { revision } of this.replica.history.watch(EVERYTHING, known, stopping)) {
          if (revision !== known + 1) this.#blame(`its watch told of ${revision} after ${known}`);
          known = revision;
        }
      } catch (error) {
        if (codeOf(error) !== 'compacted') return this.#blame(`its watch ended with ${error}`);
        known = this.replica.revision;
      }
    }
  }

  look(): void {
    const { revision } = this.replica;
    if (revision < this.#lastRevision) this.#blame(`its revision fell from ${this.#lastRevision} to ${revision}`);
    this.#lastRevision = revision;
  }

  #blame(what: string): void {
    this.#world.problems.push(`${this.name}: ${what}`);
  }
}

/** What etcd has in the end, and what it had in between. */
class Leavings {
  readonly #etcd: FakeEtcd;
  readonly #generation: string;

  constructor(etcd: FakeEtcd) {
    this.#etcd = etcd;
    this.#generation = this.#rootAt(0);
  }

  /** What a server must know in the end. */
  get state(): object {
    const { key, value } = this.#etcd.get(layout.generation(this.#generation).head)!;
    const { revision, content } = decodeHead(key, value);
    return { generation: this.#generation, revision, content };
  }

  /** The revision of a key; 0 when it is not there. */
  revisionOf(key: string): Revision {
    const kv = this.#etcd.get(layout.generation(this.#generation).entry(key));
    return kv ? entryRevisions(kv.key, kv.value, { base: 1, revision: Number.MAX_SAFE_INTEGER }).modRevision : 0;
  }

  /** The first revision of each generation that a restore has put in the place of another, the last one at the end. */
  bases(): Revision[] {
    const names = new Set<string>();
    for (const { kv } of this.#history()) {
      if (kv.key.equals(layout.root)) names.add(decodeRoot(kv.key, kv.value).generation);
    }
    return [...names].slice(1).map((name) => {
      const { head } = layout.generation(name);
      const first = this.#history().find(({ kv }) => kv.key.equals(head))!;
      return decodeHead(head, first.kv.value).base;
    });
  }

  #history() {
    const range = { key: Buffer.from('t/'), end: Buffer.from('t0') };
    return this.#etcd.changesFrom(2, range, this.#etcd.revision).events;
  }

  #rootAt(revision: number): string {
    const [root] = this.#etcd.range({ key: layout.root, revision }).kvs;
    return decodeRoot(root!.key, root!.value).generation;
  }
}

async function startServers(world: World, seed: number): Promise<Server[]> {
  const names = Array.from({ length: SERVERS }, (_, i) => 'abc'[i]!);
  const starting = Promise.all(names.map((name, i) => Server.start(world, name, seed * 7 + i)));
  let started: Server[] | undefined;
  starting.then(
    (servers) => {
      started = servers;
    },
    () => {},
  );
  for (let i = 0; i < 200 && !started; i++) await world.clock.advance(5);
  return starting;
}

/** Lets time pass, with all that can happen. */
async function passTime(world: World, servers: readonly Server[], plan: { random: SeededRandom; restores: boolean }) {
  const { etcd, clock } = world;
  const { random, restores } = plan;
  const restoring: Promise<void>[] = [];
  for (let step = 1; step <= STEPS; step++) {
    await clock.advance(STEP_MS);
    for (const server of servers) server.look();
    if (step % COMPACT_EVERY === 0) etcd.compact(etcd.revision - Math.floor(random.next() * 5));
    if (random.next() < STALL) await clock.stall(random.next() * STALL_MS);
    if (!restores || step % RESTORE_EVERY !== 0) continue;
    restoring.push(servers[Math.floor(random.next() * SERVERS)]!.restore());
    // Two at a time now and then.
    if (random.next() < 0.3) restoring.push(servers[Math.floor(random.next() * SERVERS)]!.restore());
  }
  return restoring;
}

/** Until all has ended that was begun, and everybody knows it. */
async function settle(world: World, begun: readonly Promise<void>[]): Promise<void> {
  world.closing = true;
  world.faulty = false;
  let open = begun.length;
  for (const one of begun) void one.finally(() => open--);
  for (let i = 0; i < SETTLE_STEPS; i++) await world.clock.advance(STEP_MS);
  if (open > 0) world.problems.push(`${open} have never ended`);
}

function judgeCommits({ outcomes, problems }: World, leavings: Leavings): void {
  // What was committed before the last restore went with it.
  const base = leavings.bases().at(-1) ?? 0;
  for (const [key, outcome] of outcomes.commits) {
    const found = leavings.revisionOf(key);
    if (outcome === 'outcomeUnknown') continue;
    const expected = typeof outcome === 'number' && outcome > base ? outcome : 0;
    if (found !== expected) problems.push(`${key}: told ${outcome}, but it is at ${found} (restored at ${base})`);
  }
  if (new Set(outcomes.increments).size < outcomes.increments.length)
    problems.push('two increments follow the same one');
}

function judgeRestores({ outcomes, problems }: World, leavings: Leavings): void {
  const bases = leavings.bases();
  const done = outcomes.restores.filter((outcome) => typeof outcome === 'number');
  const unknown = outcomes.restores.filter((outcome) => outcome === 'outcomeUnknown').length;
  for (const revision of done) if (!bases.includes(revision)) problems.push(`no restore was done at ${revision}`);
  if (bases.length > done.length + unknown) {
    problems.push(`restores at ${bases}, of which only those at ${done} and ${unknown} unknown ones were told`);
  }
}

async function run(seed: number, options: { restores: boolean }): Promise<World> {
  const over = new AbortController();
  const world: World = {
    etcd: new FakeEtcd(),
    clock: new FakeClock(),
    stopping: over.signal,
    problems: [],
    outcomes: { commits: new Map(), increments: [], restores: [] },
    faulty: false,
    closing: false,
  };
  const servers = await startServers(world, seed);
  world.faulty = true;
  const writing = servers.flatMap((server) => Array.from({ length: WRITERS }, (_, i) => server.write(i)));
  for (const server of servers) void server.watch();
  const restoring = await passTime(world, servers, { random: new SeededRandom(seed), ...options });
  await settle(world, [...writing, ...restoring]);
  const leavings = new Leavings(world.etcd);
  for (const { name, replica } of servers) {
    const { generation, head, index } = replica.content;
    const known = { generation, revision: head.revision, content: index.digest.sum() };
    if (replica.failure) world.problems.push(`${name} has failed: ${replica.failure.message}`);
    else expect(known).toEqual(leavings.state);
  }
  judgeCommits(world, leavings);
  judgeRestores(world, leavings);
  over.abort();
  return world;
}

const seeds = Array.from({ length: RUNS }, (_, i) => i + FIRST_SEED);
const committed = ({ outcomes }: World): number =>
  [...outcomes.commits.values()].filter((outcome) => typeof outcome === 'number').length;

describe('servers on an etcd that fails in every way', () => {
  it.each(seeds)(
    'are told what becomes of each commit, seed %d',
    async (seed) => {
      const world = await run(seed, { restores: false });
      expect(world.problems).toEqual([]);
      expect(committed(world)).toBeGreaterThan(100);
    },
    60_000,
  );

  it.each(seeds)(
    'are told what becomes of each commit and restore, seed %d',
    async (seed) => {
      const world = await run(seed, { restores: true });
      expect(world.problems).toEqual([]);
      expect(committed(world)).toBeGreaterThan(50);
      expect(world.outcomes.restores.length).toBeGreaterThanOrEqual(STEPS / RESTORE_EVERY);
    },
    60_000,
  );
});
