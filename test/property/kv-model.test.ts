import fc from 'fast-check';
import { jsonOf, RunningServer } from '../support/running-server.ts';

/** Every step is one request; the model beside it is a map. */
interface Held {
  value: string;
  lockIndex: number;
  session: string;
  modify: number;
}

type KvOp = { verb: string; key: string; value: string; session: number; fresh: boolean };

const KEYS = ['a', 'a/b', 'a/c', 'b', 'B'];
const op = fc.record({
  verb: fc.constantFrom('set', 'cas', 'lock', 'unlock', 'delete', 'delete-cas', 'delete-tree'),
  key: fc.constantFrom(...KEYS),
  value: fc.constantFrom('x', 'y', ''),
  session: fc.nat({ max: 1 }),
  fresh: fc.boolean(),
});
const step = fc.oneof(
  { weight: 6, arbitrary: op.map((one) => ({ kind: 'one' as const, ops: [one] })) },
  { weight: 4, arbitrary: fc.array(op, { minLength: 1, maxLength: 4 }).map((ops) => ({ kind: 'txn' as const, ops })) },
  { weight: 1, arbitrary: fc.nat({ max: 1 }).map((session) => ({ kind: 'end' as const, session })) },
);
type Step = { kind: 'one' | 'txn'; ops: KvOp[] } | { kind: 'end'; session: number };

interface Row {
  Key: string;
  Value: string | null;
  LockIndex: number;
  Session?: string;
  ModifyIndex: number;
}

interface Session {
  id: string;
  behavior: string;
}

const NODE = { Node: 'n1', Address: '10.0.0.1' };

class Model {
  keys = new Map<string, Held>();

  /** Gives what the condition says; `modify` -1 stands for "written by this transaction". */
  apply({ verb, key, value }: KvOp, session: string, index: number | undefined): boolean {
    const before = this.keys.get(key);
    const matches = (before?.modify ?? 0) === index;
    const write = (lockIndex: number, holder: string) => {
      const same = before?.value === value && before.lockIndex === lockIndex && before.session === holder;
      this.keys.set(key, { value, lockIndex, session: holder, modify: same ? before.modify : -1 });
      return true;
    };
    switch (verb) {
      case 'set':
        return write(0, before?.session ?? '');
      case 'cas':
        return matches && write(0, before?.session ?? '');
      case 'lock':
        if (before && before.session !== '' && before.session !== session) return false;
        return write((before?.lockIndex ?? 0) + (before?.session === session ? 0 : 1), session);
      case 'unlock':
        return before?.session === session && write(before.lockIndex, '');
      case 'delete-cas':
        if (before && !matches) return false;
        this.keys.delete(key);
        return true;
      case 'delete':
        this.keys.delete(key);
        return true;
      default:
        for (const one of [...this.keys.keys()]) if (one.startsWith(key)) this.keys.delete(one);
        return true;
    }
  }
}

async function createSession(server: RunningServer, behavior: string): Promise<Session> {
  const body = { Node: 'n1', NodeChecks: [], LockDelay: '0s', Behavior: behavior };
  const made = jsonOf(await server.call('PUT', '/v1/session/create', { body })) as { ID: string };
  return { id: made.ID, behavior };
}

class Run {
  readonly #server: RunningServer;
  readonly #model = new Model();
  readonly #sessions: Session[];
  #index = 0;

  constructor(server: RunningServer, sessions: Session[]) {
    this.#server = server;
    this.#sessions = sessions;
  }

  async step(given: Step): Promise<void> {
    if (given.kind === 'end') await this.#end(given.session);
    else if (given.kind === 'one') await this.#one(given.ops[0]!);
    else await this.#txn(given.ops);
    await this.#compare();
  }

  #indexFor({ key, fresh }: KvOp): number {
    return fresh ? Math.max(0, this.#model.keys.get(key)?.modify ?? 0) : 1;
  }

  async #one(one: KvOp): Promise<void> {
    const { verb, key, value } = one;
    const session = this.#sessions[one.session]!.id;
    const index = this.#indexFor(one);
    const query = {
      set: '',
      cas: `?cas=${index}`,
      lock: `?acquire=${session}`,
      unlock: `?release=${session}`,
      delete: '',
      'delete-cas': `?cas=${index}`,
      'delete-tree': '?recurse',
    }[verb]!;
    const method = verb.startsWith('delete') ? 'DELETE' : 'PUT';
    const answer = await this.#server.call(method, `/v1/kv/${key}${query}`, { body: Buffer.from(value) });
    expect(jsonOf(answer)).toBe(this.#model.apply(one, session, index));
  }

  async #txn(ops: KvOp[]): Promise<void> {
    const before = new Map([...this.#model.keys].map(([key, held]) => [key, { ...held }]));
    const indexes = ops.map((one) => this.#indexFor(one));
    const body = ops.map(({ verb, key, value, session }, at) => ({
      KV: {
        Verb: verb,
        Key: key,
        Value: Buffer.from(value).toString('base64'),
        Index: indexes[at],
        Session: this.#sessions[session]!.id,
      },
    }));
    const failed = ops.flatMap((one, at) =>
      this.#model.apply(one, this.#sessions[one.session]!.id, indexes[at]) ? [] : [at],
    );
    const answer = await this.#server.call('PUT', '/v1/txn', { body });
    const { Errors } = jsonOf(answer) as { Errors: { OpIndex: number }[] | null };
    expect((Errors ?? []).map(({ OpIndex }) => OpIndex)).toEqual(failed);
    expect(answer.status).toBe(failed.length > 0 ? 409 : 200);
    if (failed.length > 0) this.#model.keys = before;
  }

  async #end(at: number): Promise<void> {
    const { id, behavior } = this.#sessions[at]!;
    await this.#server.call('PUT', `/v1/session/destroy/${id}`);
    for (const [key, held] of [...this.#model.keys]) {
      if (held.session !== id) continue;
      if (behavior === 'delete') this.#model.keys.delete(key);
      else this.#model.keys.set(key, { ...held, session: '', modify: -1 });
    }
    this.#sessions[at] = await createSession(this.#server, behavior);
  }

  /** Everything is as the model says, and the index of everything has not fallen. */
  async #compare(): Promise<void> {
    const answer = await this.#server.call('GET', '/v1/kv/?recurse');
    const rows = (answer.status === 404 ? [] : jsonOf(answer)) as Row[];
    const found = rows.map(({ Key, Value, LockIndex, Session = '' }) => ({
      key: Key,
      value: Buffer.from(Value ?? '', 'base64').toString(),
      lockIndex: LockIndex,
      session: Session,
    }));
    const expected = [...this.#model.keys]
      .map(([key, { value, lockIndex, session }]) => ({ key, value, lockIndex, session }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    expect(found).toEqual(expected);
    const index = answer.meta?.index ?? 0;
    expect(index).toBeGreaterThanOrEqual(this.#index);
    this.#index = index;
    for (const { Key, ModifyIndex } of rows) {
      const held = this.#model.keys.get(Key)!;
      if (held.modify >= 0) expect(ModifyIndex).toBe(held.modify);
      held.modify = ModifyIndex;
    }
  }
}

describe('keys, sessions and transactions', () => {
  it('agree with a map for any order of requests', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        const server = await RunningServer.start();
        try {
          await server.register(NODE);
          const sessions = [await createSession(server, 'release'), await createSession(server, 'delete')];
          const run = new Run(server, sessions);
          for (const one of steps) await run.step(one);
        } finally {
          await server.stop();
        }
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});
