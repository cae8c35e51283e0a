import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom } from '../../core/random.ts';
import type { Intention } from '../../crds/types/index.ts';
import type { IntentionClient, IntentionEntry, ShownEntry } from '../intention-client/intention-client.ts';
import { IntentionMirror } from '../intention-mirror/intention-mirror.ts';
import { type ChangeCause, type ChangeHandler, keyOf, type ObjectKey, type ObjectSource } from '../object-source.ts';
import { readyOf } from '../status/conditions.ts';
import { StatusWriter, type WithStatus } from '../status/status-writer.ts';
import { IntentionControllers } from './intention-controllers.ts';

const OWNER = 'kubernetes/prod';

/** The servers' entries, whose lists and acknowledgements can be held back. */
class Servers implements IntentionClient {
  readonly #entries = new Map<string, ShownEntry>();
  #index = 1;
  #changed = Promise.withResolvers<void>();
  /** While it is set nothing new is listed. */
  listsHeld = false;
  /** A write is done at once, but its answer waits for this. */
  answers: Promise<void> = Promise.resolve();
  /** No write is done. */
  failing = false;
  /** What this object declares is refused. */
  refusing: string | undefined;

  get size(): number {
    return this.#entries.size;
  }

  get(name: string): ShownEntry | undefined {
    return this.#entries.get(name);
  }

  set(name: string, entry: Partial<IntentionEntry> | undefined): void {
    this.#index++;
    if (entry === undefined) this.#entries.delete(name);
    else {
      const CreateIndex = this.get(name)?.CreateIndex ?? this.#index;
      this.#entries.set(name, { ...entry, Name: name, CreateIndex, ModifyIndex: this.#index });
    }
    this.wake();
  }

  wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async list({ index }: { index: number }, signal: AbortSignal) {
    const gone = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    gone.catch(() => {});
    while (this.listsHeld || this.#index <= index) await Promise.race([this.#changed.promise, gone]);
    return { index: this.#index, entries: [...this.#entries.values()] };
  }

  async read(name: string): Promise<ShownEntry | undefined> {
    return this.get(name);
  }

  async put(entry: IntentionEntry, cas: number): Promise<boolean> {
    if (this.failing) throw new AppError('unavailable', 'no quorum');
    if (this.refusing && entry.Meta?.['lictor.dev/ref'] === this.refusing) throw new AppError('badRequest', 'refused');
    const done = (this.get(entry.Name)?.ModifyIndex ?? 0) === cas;
    if (done) this.set(entry.Name, entry);
    await this.answers;
    return done;
  }

  async delete(name: string, cas: number): Promise<boolean> {
    const done = this.get(name)?.ModifyIndex === cas;
    if (done) this.set(name, undefined);
    await this.answers;
    return done;
  }
}

/** What is declared; a change is seen happening unless it is told otherwise. */
class Declared implements ObjectSource<Intention> {
  readonly kind = 'Intention';
  readonly #objects = new Map<ObjectKey, Intention>();
  readonly #handlers = new Set<ChangeHandler<Intention>>();

  get = (key: ObjectKey) => this.#objects.get(key);
  list = () => this.#objects.values();
  synced = () => true;

  subscribe(handler: ChangeHandler<Intention>): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  put(object: Intention): void {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    this.#objects.set(key, object);
    for (const handler of this.#handlers) handler(key, old, object, 'watch');
  }

  remove(name: string, cause: ChangeCause = 'watch'): void {
    const key = `default/${name}`;
    const old = this.#objects.get(key);
    this.#objects.delete(key);
    for (const handler of this.#handlers) handler(key, old, undefined, cause);
  }
}

/** An Intention for the destination `db`; the older one of two holds it. */
const forDb = (name: string, createdIn: number) => intention(name, { destination: 'db', createdIn });

function intention(name: string, options: { destination: string; createdIn?: number; generation?: number }): Intention {
  const { destination, createdIn = 2026, generation = 1 } = options;
  const creationTimestamp = `${createdIn}-01-01T00:00:00Z`;
  return {
    apiVersion: 'lictor.dev/v1alpha1',
    kind: 'Intention',
    metadata: { name, namespace: 'default', uid: name, generation, creationTimestamp },
    spec: { destination: { service: destination }, sources: [{ service: `${name}-${generation}`, action: 'allow' }] },
  } as Intention;
}

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function running() {
  const servers = new Servers();
  const source = new Declared();
  const clock = new FakeClock();
  const deps = { clock, random: new SeededRandom(1), log: silentLogger, metrics: new Metrics() };
  const mirror = new IntentionMirror({ ...deps, client: servers }, { owner: OWNER });
  const leadership = { epoch: 1, check: () => {}, lost: () => {} };
  const reasons = new Map<string, string | undefined>();
  const sink = {
    write: async (object: WithStatus, status: object) =>
      void reasons.set(object.metadata.name, readyOf(status as Intention['status'])?.reason),
  };
  const status = new StatusWriter({ ...deps, sink, leadership, events: { record: () => {} } });
  const catalog = { ownerState: async () => ({ Owner: OWNER, Epoch: 1 }) };
  const controllers = new IntentionControllers(
    { ...deps, source, mirror, client: servers, catalog, leadership, status },
    { owner: OWNER, namespaces: 'single' },
  );
  const abort = new AbortController();
  const ended = [mirror, controllers].map((one) => one.run({ signal: abort.signal, ready: () => {} }));
  stops.push(async () => {
    abort.abort();
    for (let turn = 0; turn < 20; turn++) await clock.advance(50);
    await Promise.all(ended);
  });
  return {
    servers,
    source,
    reasons,
    holder: () => servers.get('db')?.Meta?.['lictor.dev/ref'],
    /** Lets happen what happens within so long. */
    pass: async (ms: number) => {
      for (let at = 0; at < ms; at += 50) await clock.advance(50);
    },
  };
}

describe('controllers of intentions, where writes and lists cross', () => {
  it('undo a write that was acknowledged after its object had gone and its successor had found all well', async () => {
    const { servers, source, holder, pass } = running();
    source.put(forDb('newer', 2026));
    await pass(2_000);
    expect(holder()).toBe('Intention/default/newer');

    servers.listsHeld = true;
    const answers = Promise.withResolvers<void>();
    servers.answers = answers.promise;
    source.put(forDb('older', 2020));
    await pass(2_000);
    expect(holder()).toBe('Intention/default/older');
    // The mirror still shows the successor's own entry, so that there seems to be nothing to do.
    source.remove('older');
    await pass(2_000);
    expect(holder()).toBe('Intention/default/older');

    answers.resolve();
    await pass(2_000);
    expect(holder()).toBe('Intention/default/newer');
    servers.listsHeld = false;
    servers.wake();
    await pass(2_000);
    expect(holder()).toBe('Intention/default/newer');
  });

  it('look again at an entry that went by without the lists having shown it', async () => {
    const { servers, source, reasons, holder, pass } = running();
    await pass(1_000);
    servers.listsHeld = true;
    servers.set('db', { Sources: [], Meta: { by: 'hand' } });
    source.put(forDb('declared', 2026));
    await pass(1_500);
    expect(reasons.get('declared')).toBe('Conflict');
    expect(servers.get('db')?.Meta).toEqual({ by: 'hand' });

    servers.set('db', undefined);
    await pass(3_000);
    expect(holder()).toBe('Intention/default/declared');
    expect(reasons.get('declared')).toBe('Synced');
  });
});

describe('controllers of intentions, where another Intention has the destination of one that goes', () => {
  it('leave the entry to it, so that there is no moment without rules', async () => {
    const { servers, source, holder, pass } = running();
    source.put(forDb('older', 2020));
    source.put(forDb('newer', 2026));
    await pass(1_000);
    const removals: string[] = [];
    const remove = servers.delete.bind(servers);
    servers.delete = (name, cas) => {
      removals.push(name);
      return remove(name, cas);
    };
    source.remove('older');
    await pass(5_000);
    expect([holder(), removals]).toEqual(['Intention/default/newer', []]);
  });

  it('take the entry away when what that one declares is refused', async () => {
    const { servers, source, reasons, holder, pass } = running();
    servers.refusing = 'Intention/default/newer';
    source.put(forDb('older', 2020));
    source.put(forDb('newer', 2026));
    await pass(1_000);
    expect(holder()).toBe('Intention/default/older');
    source.remove('older');
    await pass(5_000);
    expect([servers.size, reasons.get('newer')]).toEqual([0, 'Refused']);
  });

  it('take the entry away after two minutes at most, whatever keeps that one from writing', async () => {
    const { servers, source, holder, pass } = running();
    source.put(forDb('older', 2020));
    await pass(1_000);
    const put = servers.put.bind(servers);
    servers.put = async (entry, cas) => {
      if (entry.Meta?.['lictor.dev/ref'] === 'Intention/default/newer') throw new AppError('unavailable', 'no quorum');
      return put(entry, cas);
    };
    source.put(forDb('newer', 2026));
    source.remove('older');
    await pass(60_000);
    expect(holder()).toBe('Intention/default/older');
    await pass(70_000);
    expect(servers.size).toBe(0);
  });
});

describe('controllers of intentions, of many that go at once', () => {
  const names = Array.from({ length: 12 }, (_, at) => `one-${at}`); // more than may always go
  const declare = (source: Declared, generation = 1) => {
    for (const name of names) source.put(intention(name, { destination: name, generation }));
  };
  const remove = (source: Declared, cause?: ChangeCause) => {
    for (const name of names) source.remove(name, cause);
  };

  it('hold them back when only an edit was seen before, which took nothing away', async () => {
    const { servers, source, pass } = running();
    declare(source);
    await pass(2_000);
    servers.failing = true;
    declare(source, 2);
    await pass(1_000);
    remove(source, 'relist');
    servers.failing = false;
    await pass(2_000);
    expect(servers.size).toBe(12);
  });

  it('let them go when that was seen while they were being written', async () => {
    const { servers, source, pass } = running();
    await pass(1_000);
    const answers = Promise.withResolvers<void>();
    servers.answers = answers.promise;
    declare(source);
    await pass(1_000);
    expect(servers.size).toBe(12);
    remove(source);
    await pass(1_000);
    answers.resolve();
    await pass(2_000);
    expect(servers.size).toBe(0);
  });

  it('let them go when that was seen before what they had written without an answer', async () => {
    const { servers, source, pass } = running();
    await pass(1_000);
    servers.listsHeld = true;
    servers.answers = Promise.reject(new AppError('unavailable', 'the link broke'));
    servers.answers.catch(() => {});
    declare(source);
    await pass(50);
    expect(servers.size).toBe(12);
    remove(source);
    await pass(2_000);
    servers.answers = Promise.resolve();
    servers.listsHeld = false;
    servers.wake();
    await pass(2_000);
    expect(servers.size).toBe(0);
  });
});
