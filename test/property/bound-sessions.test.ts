import type { SessionContent } from '../../api/shapes/session.ts';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { SeededRandom, SystemRandom } from '../../core/random.ts';
import { CatalogKeys, FIRST_GENERATION, parseKey, splitKey } from '../../server/catalog/keys.ts';
import { storedJson, storedRecord } from '../../server/catalog/stored.ts';
import { decodeKv } from '../../server/kv/kv-record.ts';
import { EVERYTHING, take } from '../../store/contract/shorthand.ts';
import { openEtcdStore } from '../../store/etcd/open-etcd-store.ts';
import { openLmdbStore } from '../../store/lmdb/open-lmdb-store.ts';
import type { Store, StoreEntry } from '../../store/store.ts';
import { CURRENT_ETCD, describeEtcd } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { fastTempFolder, removeFolder } from '../support/processes/temp-folder.ts';
import { jsonOf, RunningServer } from '../support/running-server.ts';

/*
 * Clients create sessions and lock keys while checks turn critical and nodes and checks go, in every way in which they can.
 * Then the store's history is gone through, transaction by transaction: at no revision is there a session that lives without
 * what it is bound to, nor a key that is held by a session that is not there.
 */
const RUNS = Number(process.env.LICTOR_SESSION_RUNS ?? 3);
const CLIENTS = 6;
const STEPS = 40;
/** Locked by one session: two operations each are more than a transaction takes. */
const MANY = 90;
const NODES = ['n1', 'n2', 'n3'];
const CHECKS = ['a', 'b', 'c'];

interface Session {
  readonly id: string;
  readonly content: SessionContent;
  readonly deadSinceMs?: number;
}

/** What is wrong with the store as it is at one revision. */
class Content {
  readonly #entries = new Map<string, StoreEntry>();
  readonly #keys = new CatalogKeys(FIRST_GENERATION);

  put(entry: StoreEntry): void {
    this.#entries.set(entry.key, entry);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  problems(): string[] {
    const sessions = new Map(this.#table('session').map(([id, entry]) => [id, storedJson<Session>(entry).record]));
    const dangling = this.#table('kv')
      .map(([rest, entry]) => [rest, decodeKv(rest, entry, 0).session] as const)
      .filter(([, session]) => session !== '' && !sessions.has(session))
      .map(([rest, session]) => `${rest} is held by ${session}, which is gone`);
    return [...dangling, ...[...sessions.values()].flatMap((session) => this.#unbound(session))];
  }

  #unbound({ id, content, deadSinceMs }: Session): string[] {
    // All show what it held as released, as of the revision of that mark.
    if (deadSinceMs !== undefined) return [];
    if (!this.#entries.has(this.#keys.node(content.Node))) return [`${id} lives without its node`];
    return content.NodeChecks.flatMap((check) => {
      const status = this.#statusOf(content.Node, check);
      return status === undefined || status === 'critical' ? [`${id} lives though ${check} is ${status}`] : [];
    });
  }

  /** Of a check's state half, which may lie in its definition. */
  #statusOf(node: string, check: string): string | undefined {
    const spot = this.#keys.spot(node, 'default', check);
    const [definition, own] = (['checkDefinition', 'checkState'] as const).map((kind) => {
      const entry = this.#entries.get(this.#keys.at(kind, spot));
      return entry && storedRecord<{ state?: { status: string }; status?: string }>(kind, spot, entry).record;
    });
    return own ? own.status : definition?.state?.status;
  }

  #table(segment: string): [rest: string, entry: StoreEntry][] {
    return [...this.#entries.values()].flatMap((entry): [string, StoreEntry][] => {
      const split = parseKey(entry.key) ? undefined : splitKey(entry.key);
      return split?.segment === segment ? [[split.rest, entry]] : [];
    });
  }
}

class Client {
  readonly #server: RunningServer;
  readonly #random: SeededRandom;
  readonly #sessions: string[] = [];

  constructor(server: RunningServer, seed: number) {
    this.#server = server;
    this.#random = new SeededRandom(seed);
  }

  async run(): Promise<void> {
    for (let i = 0; i < STEPS; i++) await this.#step();
  }

  async #step(): Promise<void> {
    const steps = [
      () => this.#create(),
      () => this.#create(),
      () => this.#acquire(3),
      () => this.#acquire(3),
      () => this.#acquire(this.#random.next() < 0.2 ? MANY : 5),
      () => this.#checks('passing'),
      () => this.#checks('passing'),
      () => this.#checks('critical'),
      () => this.#deregister(this.#random.next() < 0.3 ? {} : { CheckID: this.#of(CHECKS) }),
      () => this.#txn(),
    ];
    await this.#of(steps)();
  }

  async #create(): Promise<void> {
    const NodeChecks = CHECKS.filter(() => this.#random.next() < 0.4);
    const Behavior = this.#of(['release', 'delete']);
    const LockDelay = this.#of(['0s', '1ms', '5s']);
    const made = await this.#call('/v1/session/create', { Node: this.#of(NODES), NodeChecks, Behavior, LockDelay });
    if (made) this.#sessions.push((made as { ID: string }).ID);
  }

  /** Side by side with each other and with whatever ends the session. */
  async #acquire(count: number): Promise<void> {
    const session = this.#sessions[this.#sessions.length - 1];
    if (session === undefined) return;
    const keys = Array.from({ length: count }, () => `k${Math.floor(this.#random.next() * 300)}`);
    await Promise.all(keys.map((key) => this.#call(`/v1/kv/${key}?acquire=${session}`, 'v')));
  }

  async #checks(Status: string): Promise<void> {
    const checks = CHECKS.filter(() => this.#random.next() < 0.6);
    const Checks = checks.map((CheckID) => ({ CheckID, Name: CheckID, Status }));
    await this.#call('/v1/catalog/register', { Node: this.#of(NODES), Address: '10.0.0.1', Checks });
  }

  async #deregister(what: object): Promise<void> {
    await this.#call('/v1/catalog/deregister', { Node: this.#of(NODES), ...what });
  }

  async #txn(): Promise<void> {
    const [Node, CheckID] = [this.#of(NODES), this.#of(CHECKS)];
    const Session = this.#sessions[this.#sessions.length - 1] ?? '';
    const lock = { KV: { Verb: 'lock', Key: `t${Math.floor(this.#random.next() * 9)}`, Value: '', Session } };
    const critical = { Verb: 'set', Check: { Node, CheckID, Name: CheckID, Status: 'critical' } };
    await this.#call(
      '/v1/txn',
      this.#of([
        [{ Check: critical }],
        [lock, { Check: critical }],
        [{ Check: { Verb: 'delete', Check: { Node, CheckID } } }],
        [lock, { Node: { Verb: 'delete', Node: { Node } } }],
      ]),
    );
  }

  /** Undefined when it is refused. What fails for another reason fails the test. */
  async #call(url: string, body: unknown): Promise<unknown> {
    try {
      const answer = await this.#server.call('PUT', url, { body: body === 'v' ? Buffer.from('v') : body });
      return (answer.status ?? 200) === 200 ? jsonOf(answer) : undefined;
    } catch (error) {
      const text = String(error);
      if (/Missing|critical state|invalid session|Unknown/.test(text)) return undefined;
      throw error;
    }
  }

  #of<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random.next() * items.length)]!;
  }
}

/** All that is wrong at any revision of the store's history. */
async function problemsOf(store: Store): Promise<string[]> {
  const content = new Content();
  const found: string[] = [];
  for (const { revision, changes } of await take(
    store.watch(EVERYTHING, 0, new AbortController().signal),
    store.revision(),
  )) {
    for (const change of changes) {
      if (change.kind === 'put') content.put(change.entry);
      else content.delete(change.key);
    }
    found.push(...content.problems().map((problem) => `${revision}: ${problem}`));
  }
  return found;
}

function describeBound(open: (seed: number) => Promise<{ store: Store; close(): Promise<void> }>): void {
  it.each(Array.from({ length: RUNS }, (_, i) => i + 1))(
    'end in the transaction that takes away what they are bound to, seed %d',
    async (seed) => {
      const { store, close } = await open(seed);
      const server = await RunningServer.start({ store });
      const clients = Array.from({ length: CLIENTS }, (_, i) => new Client(server, seed * 100 + i));
      await Promise.all(clients.map((client) => client.run()));
      await server.stop();
      const problems = await problemsOf(store);
      await close();
      expect(problems.slice(0, 5)).toEqual([]);
    },
    120_000,
  );

  it('leave their key free for an acquire that is sent after the deregistration', async () => {
    const { store, close } = await open(1000);
    const server = await RunningServer.start({ store });
    const put = async (url: string, body: unknown) => jsonOf(await server.call('PUT', url, { body }));
    const create = async (Node: string) =>
      ((await put('/v1/session/create', { Node, NodeChecks: [], LockDelay: '0s' })) as { ID: string }).ID;
    await server.register({ Node: 'waits', Address: '10.0.0.9' });
    const next = await create('waits');
    for (let n = 0; n < 20; n++) {
      await server.register({ Node: 'n1', Address: '10.0.0.1' });
      // More of them than one transaction ends.
      const sessions = await Promise.all(Array.from({ length: n === 0 ? 150 : 2 }, () => create('n1')));
      const lock = (session: string, at: number) => put(`/v1/kv/lead/${at}?acquire=${session}`, Buffer.from('v'));
      expect(await Promise.all(sessions.map(lock))).not.toContain(false);
      await put('/v1/catalog/deregister', { Node: 'n1' });
      expect(await Promise.all(sessions.map((_, at) => lock(next, at)))).not.toContain(false);
      await server.call('DELETE', '/v1/kv/lead/?recurse');
    }
    await server.stop();
    expect(await problemsOf(store)).toEqual([]);
    await close();
  }, 120_000);
}

/** All of what a run writes can be followed from its beginning. */
const history = { maxRevisions: 1e6, maxBytes: 1e9 };
const deps = { history, clock: new SystemClock(), log: silentLogger, random: new SystemRandom() };

describe('sessions on the embedded engine', () => {
  describeBound(async () => {
    const dir = fastTempFolder('bound-sessions', 2 ** 28);
    const store = await openLmdbStore({ dir, ...deps });
    return {
      store,
      close: async () => {
        await store.close();
        removeFolder(dir);
      },
    };
  });
});

describeEtcd(CURRENT_ETCD, 'sessions on etcd', (file) => {
  let etcd: EtcdCluster;
  beforeAll(async () => {
    etcd = await EtcdCluster.start({ file });
  }, 120_000);
  afterAll(() => etcd.stop());

  describeBound(async (seed) => {
    const { clock, log, random } = deps;
    const store = await openEtcdStore({ endpoints: etcd.endpoints, prefix: `s${seed}/`, clock, log, random });
    return { store, close: () => store.close() };
  });
});
