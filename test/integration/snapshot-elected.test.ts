import { AppError } from '../../core/errors.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { CommitResult, Op, Store, StoreFormat, Txn } from '../../store/store.ts';
import { eventually } from '../support/eventually.ts';
import { jsonOf, RunningServer } from '../support/running-server.ts';
import { sharedStore } from '../support/shared-store.ts';

const KEYS = 600;
const ELECTION = { withinMs: 15_000, everyMs: 50 };
/** So that archives of packed records are taken. */
const PACKED: StoreFormat = { known: () => 2, read: async () => 2, raise: async () => false };
/** Below a generation that was never the first catalog. */
const LATER = /^catalog\/[1-9]\d*\//;

/** A server's way to the store that is cut at one of its commits, as by SIGSTOP: that one and those after it wait. */
class CuttableStore {
  readonly store: Store;
  /** Whether it was cut. */
  isCut = false;
  /** What became of the commit that it was cut at. */
  result: CommitResult | undefined;
  #left = Number.POSITIVE_INFINITY;
  #isCounted: (op: Op) => boolean = () => false;
  #open: Promise<void> = Promise.resolve();
  #mend: () => void = () => {};

  constructor(inner: Store) {
    this.store = { ...sharedStore(inner, PACKED), commit: (txn) => this.#commit(inner, txn) };
  }

  /** At the commit of this number, from 1, whose first operation is one of these. */
  cutAt(number: number, isCounted: (op: Op) => boolean): void {
    this.#left = number;
    this.#isCounted = isCounted;
  }

  mend(): void {
    this.#mend();
    this.#open = Promise.resolve();
  }

  async #commit(inner: Store, txn: Txn): Promise<CommitResult> {
    const [first] = txn.ops;
    const isLast = first !== undefined && this.#isCounted(first) && --this.#left === 0;
    if (isLast) {
      this.isCut = true;
      this.#open = new Promise((open) => {
        this.#mend = open;
      });
    }
    await this.#open;
    const result = await inner.commit(txn);
    if (isLast) this.result = result;
    return result;
  }
}

function start(store: Store, nodeName: string): Promise<RunningServer> {
  return RunningServer.start({ store, nodeName, elected: true });
}

const put = async (server: RunningServer, key: string, text: string) =>
  (await server.call('PUT', `/v1/kv/${key}`, { body: Buffer.from(text) })).json;
/** Keys by what they hold, and how many there are of each, as any server knows them. */
const held = async (server: RunningServer): Promise<Record<string, number>> => {
  const answer = await server.call('GET', '/v1/kv/?recurse&stale');
  const counts: Record<string, number> = {};
  for (const { Value } of answer.status === 404 ? [] : (jsonOf(answer) as { Value: string }[])) {
    const text = Buffer.from(Value, 'base64').toString();
    counts[text] = (counts[text] ?? 0) + 1;
  }
  return counts;
};
/** The code of what a restore ends with; `restored` when it succeeds. */
const outcome = (restoring: Promise<unknown>) =>
  restoring.then(
    () => 'restored',
    (error: unknown) => (error instanceof AppError ? error.code : error),
  );
const leads = (server: RunningServer) => put(server, 'probe', 'probe').then(Boolean, () => false);

async function archiveOf(value: string): Promise<Buffer> {
  const server = await RunningServer.start();
  for (let at = 0; at < KEYS; at++) await put(server, `k${at}`, value);
  const archive = await server.archive();
  await server.stop();
  return archive;
}

describe('a restore, or the deletion of leftovers, of a leader that is stopped in the middle and goes on after another was elected', () => {
  let store: Store;
  let way: CuttableStore;
  let first: RunningServer;
  let second: RunningServer;

  beforeEach(() => {
    store = openMemoryStore();
    way = new CuttableStore(store);
  });
  afterEach(async () => {
    way.mend();
    await Promise.allSettled([first.stop(), second.stop()]);
    await store.close();
  });

  /** The first server leads; its restore will be cut at the batch of this number. */
  const begun = async (number: number) => {
    first = await start(way.store, 'server-1');
    await eventually(() => leads(first), ELECTION);
    way.cutAt(number, (op) => op.kind === 'put' && LATER.test(op.key));
  };
  /** Until the first server is cut off and the second one leads and has deleted what it found left over. */
  const takenOver = async () => {
    await eventually(() => way.isCut, { withinMs: 10_000, everyMs: 5 });
    second = await start(sharedStore(store, PACKED), 'server-2');
    await eventually(() => leads(second), ELECTION);
    const leftOver = async () => (await store.read({ start: 'catalog/1', end: 'catalog/:' })).entries.length;
    await eventually(async () => expect(await leftOver()).toBe(0), { withinMs: 5000 });
  };

  it('changes nothing once the other one has deleted what was there of it', async () => {
    const archive = await archiveOf('x');
    await begun(3);
    const restoring = outcome(first.restore(archive));
    await takenOver();
    way.mend();
    const answer = await restoring;
    expect({ answer, held: await held(second) }).toEqual({ answer: 'noLeader', held: { probe: 1 } });
  }, 60_000);

  it('puts nothing into the catalog that the other one has restored meanwhile', async () => {
    const [x, y] = [await archiveOf('x'), await archiveOf('y')];
    await begun(2);
    const restoring = outcome(first.restore(x));
    await takenOver();
    expect(await outcome(second.restore(y))).toBe('restored');
    expect(await put(second, 'acknowledged', 'acknowledged')).toBe(true);
    way.mend();
    const answer = await restoring;
    expect({ answer, held: await held(second) }).toEqual({ answer: 'noLeader', held: { y: KEYS, acknowledged: 1 } });
  }, 60_000);

  it('deletes nothing of the catalog that the other one has restored meanwhile', async () => {
    const archive = await archiveOf('x');
    // What a restore of an earlier version has left, which names its next one the same.
    const value = Buffer.from('{}');
    const ops = Array.from(
      { length: 100 },
      (_, at): Op => ({ kind: 'put', key: `catalog/1/kv/default/k${at}`, value }),
    );
    await store.commit({ compares: [], ops });
    way.cutAt(1, (op) => op.kind === 'delete' && LATER.test(op.key));
    first = await start(way.store, 'server-1');
    await takenOver();
    expect(await outcome(second.restore(archive))).toBe('restored');
    way.mend();
    await eventually(() => way.result !== undefined, { withinMs: 5000 });
    expect({ result: way.result?.ok, held: await held(second) }).toEqual({ result: false, held: { x: KEYS } });
  }, 60_000);
});
