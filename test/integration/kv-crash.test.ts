import { Readable, Writable } from 'node:stream';
import { Agent, request } from 'undici';
import { runCommand } from '../../lictor/run-command.ts';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { runLictor } from '../support/processes/run-lictor.ts';

const WRITERS = 64;
const ROUNDS = Number(process.env.LICTOR_KV_KILLS ?? 2);

interface Pair {
  Key: string;
  Value: string;
  ModifyIndex: number;
  Session?: string;
}

describe('keys and sessions of a server', () => {
  let server: AgentProcess;
  let agent: Agent;
  beforeAll(async () => {
    server = await startServer();
    agent = new Agent({ connections: WRITERS });
  });
  afterAll(async () => {
    await agent.destroy();
    await server.stop();
  });

  async function put<T>(path: string, body: string | object = ''): Promise<T> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await request(`${server.url}${path}`, { method: 'PUT', body: text, dispatcher: agent });
    const got = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`PUT ${path}: ${answer.statusCode} ${got}`);
    return JSON.parse(got) as T;
  }
  const session = (body: object) =>
    eventually(() => put<{ ID: string }>('/v1/session/create', body), { withinMs: 20_000, what: 'a session' });

  it('are all there after kill -9 during 64 writers, and no index falls', async () => {
    const acknowledged = new Map<string, string>();
    for (let round = 0; round < ROUNDS; round++) {
      let running = true;
      const write = async (writer: number): Promise<void> => {
        for (let n = 0; running; n++) {
          const key = `w${writer}/${round}-${n % 50}`;
          const value = `${round}.${n}`;
          try {
            if (await put<boolean>(`/v1/kv/${key}`, value)) acknowledged.set(key, value);
          } catch {
            // The outcome of the last one is not known: it may be there.
            acknowledged.set(`${key}?`, value);
            return;
          }
        }
      };
      const writers = Array.from({ length: WRITERS }, (_, writer) => write(writer));
      await eventually(() => acknowledged.size > 500, { withinMs: 20_000, what: 'writes' });
      const before = (await server.get<Pair[]>('/v1/kv/?recurse')).reduce((max, p) => Math.max(max, p.ModifyIndex), 0);
      await server.kill();
      running = false;
      await Promise.all(writers);
      await server.restart();
      const pairs = await server.get<Pair[]>('/v1/kv/?recurse');
      const found = new Map(pairs.map(({ Key, Value }) => [Key, Buffer.from(Value, 'base64').toString()]));
      for (const [key, value] of acknowledged) {
        if (key.endsWith('?')) continue;
        const unknown = acknowledged.get(`${key}?`);
        expect([value, unknown]).toContain(found.get(key));
      }
      expect(pairs.reduce((max, p) => Math.max(max, p.ModifyIndex), 0)).toBeGreaterThanOrEqual(before);
      for (const key of [...acknowledged.keys()].filter((one) => one.endsWith('?'))) {
        const plain = key.slice(0, -1);
        acknowledged.set(plain, found.get(plain) ?? acknowledged.get(plain) ?? '');
        acknowledged.delete(key);
      }
    }
  }, 120_000);

  it('keep who holds a lock over kill -9, and let the next one in when it is released', async () => {
    const [a, b] = [(await session({ TTL: '15s' })).ID, (await session({ TTL: '15s' })).ID];
    expect(await put(`/v1/kv/lead?acquire=${a}`, 'a')).toBe(true);
    await server.kill();
    await server.restart();
    expect((await server.get<Pair[]>('/v1/kv/lead'))[0]?.Session).toBe(a);
    expect(await put(`/v1/kv/lead?acquire=${b}`, 'b')).toBe(false);
    // As Consul's Go client waits: on the key, for 15 s at a time.
    const first = await request(`${server.url}/v1/kv/lead`, { dispatcher: agent });
    await first.body.dump();
    const index = String(first.headers['x-consul-index']);
    const waiting = server.get<Pair[]>(`/v1/kv/lead?index=${index}&wait=15s`);
    await put(`/v1/session/renew/${a}`);
    expect(await put(`/v1/kv/lead?release=${a}`, 'a')).toBe(true);
    expect((await waiting)[0]?.Session).toBeUndefined();
    expect(await put(`/v1/kv/lead?acquire=${b}`, 'b')).toBe(true);
    await put(`/v1/session/destroy/${b}`);
    expect(await put(`/v1/kv/lead?acquire=${a}`, 'a')).toBe(false);
  }, 60_000);

  async function lictor(...argv: string[]): Promise<{ code: number; out: string }> {
    let out = '';
    const sink = new Writable({
      write(chunk, _encoding, done) {
        out += String(chunk);
        done();
      },
    });
    const env = { ...process.env, CONSUL_HTTP_ADDR: server.url };
    const { signal } = new AbortController();
    const code = await runCommand(argv, { stdout: sink, stderr: sink, stdin: Readable.from([]), env, signal });
    return { code, out };
  }

  it('let one command at a time run below a lock, and two below a semaphore', async () => {
    await session({});
    const counted = (name: string) =>
      `n=$(ls ${server.folder}/${name} | wc -l); touch ${server.folder}/${name}/$$; echo $n; sleep 0.3; rm ${server.folder}/${name}/$$`;
    const { mkdirSync } = await import('node:fs');
    for (const [name, n] of [
      ['one', 1],
      ['two', 2],
    ] as const) {
      mkdirSync(`${server.folder}/${name}`);
      const runs = await Promise.all([1, 2, 3].map(() => lictor('lock', `-n=${n}`, `locks/${name}`, counted(name))));
      expect(runs.map(({ code, out }) => (code === 0 ? '' : out))).toEqual(['', '', '']);
      for (const { out } of runs) expect(Number(out)).toBeLessThan(n);
    }
  }, 60_000);

  it('run a command in the environment of who has called them', async () => {
    const command = 'echo "[$MALLOC_ARENA_MAX$LICTOR_OWN_SETTINGS]$CONSUL_LOCK_HELD"';
    // A session needs the node that the server reports after its start.
    const { stdout } = await eventually(
      async () => {
        const run = await runLictor(['lock', 'environment', command], { agent: server });
        return run.code === 0 ? run : Promise.reject(new Error(run.stderr));
      },
      { withinMs: 20_000 },
    );
    expect(stdout).toContain('[]true');
  }, 60_000);

  it('kill the command whose lock is lost, and give up in time when it is held', async () => {
    const { ID } = await session({});
    await put(`/v1/kv/held/.lock?acquire=${ID}&flags=3304740253564472344`);
    const late = await lictor('lock', '-timeout=300ms', 'held', 'true');
    expect(late.code).toBe(1);
    expect(late.out).toContain('Lock acquisition failed');
    const running = lictor('lock', 'lost', 'echo started; sleep 60');
    const holder = await eventually(
      async () => (await server.get<Pair[]>('/v1/kv/lost/.lock'))[0]?.Session ?? Promise.reject(new Error('not yet')),
      { withinMs: 20_000, what: 'the lock' },
    );
    await put(`/v1/session/destroy/${holder}`);
    const { code, out } = await running;
    expect(code).toBe(1);
    expect(out).toContain('Lock lost');
    expect((await lictor('lock', '-child-exit-code', 'exit', 'exit 7')).code).toBe(2);
    expect((await lictor('lock', 'exit2', 'exit 7')).code).toBe(0);
  }, 60_000);
});
