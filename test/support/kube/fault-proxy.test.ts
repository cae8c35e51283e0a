import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '../eventually.ts';
import { FaultProxy } from './fault-proxy.ts';

/** A server that answers lists with its generation, watches with one event a `tick`, and everything else with its body. */
class Upstream {
  readonly server: Server;
  generation = 1;
  readonly #streams = new Set<(line: string) => void>();

  constructor() {
    this.server = createServer((request, response) => {
      response.setHeader('content-type', 'application/json');
      if (request.url?.includes('watch=1')) {
        response.flushHeaders();
        this.#streams.add((line) => response.write(line));
        return;
      }
      if (request.method === 'GET') {
        response.end(JSON.stringify({ generation: this.generation }));
        return;
      }
      request.pipe(response);
    });
  }

  emit(text: string): void {
    for (const send of this.#streams) send(text);
  }
  get streams(): number {
    return this.#streams.size;
  }
}

describe('FaultProxy', () => {
  const upstream = new Upstream();
  let proxy: FaultProxy;
  beforeAll(() => new Promise<void>((resolve) => upstream.server.listen(0, '127.0.0.1', resolve)));
  afterAll(() => {
    upstream.server.closeAllConnections();
    upstream.server.close();
  });
  beforeEach(async () => {
    const { port } = upstream.server.address() as AddressInfo;
    proxy = await FaultProxy.start({ url: `http://127.0.0.1:${port}` });
  });
  afterEach(() => proxy.stop());

  const list = async () => (await fetch(`${proxy.url}/api/v1/pods?limit=5`)).json();

  /** Opens a watch and gathers what it sends. */
  async function watch(): Promise<{ text: () => string; chunks: string[]; ended: () => boolean }> {
    const before = upstream.streams;
    const response = await fetch(`${proxy.url}/api/v1/pods?watch=1`);
    const chunks: string[] = [];
    let ended = false;
    void (async () => {
      for await (const chunk of response.body!) chunks.push(Buffer.from(chunk).toString());
    })()
      .catch(() => {})
      .finally(() => {
        ended = true;
      });
    await eventually(() => upstream.streams > before, { withinMs: 30_000 });
    return { chunks, text: () => chunks.join(''), ended: () => ended };
  }

  it('passes everything on unchanged and counts by method and resource', async () => {
    const path = '/apis/lictor.dev/v1alpha1/namespaces/a/services/web/status';
    const answer = await fetch(`${proxy.url}${path}`, { method: 'PATCH', body: '{"x":1}' });
    expect(await answer.text()).toBe('{"x":1}');
    await list();
    await watch();
    await fetch(`${proxy.url}/apis/coordination.k8s.io/v1/namespaces/a/leases/l`, { method: 'PUT', body: '{}' });
    expect(proxy.counts()).toEqual({
      'GET pods': 1,
      'PATCH lictor.dev/services/status': 1,
      'PUT coordination.k8s.io/leases': 1,
      'WATCH pods': 1,
    });
    expect(proxy.writes({ except: ['coordination.k8s.io/leases'] })).toEqual({ 'PATCH lictor.dev/services/status': 1 });
    proxy.resetCounts();
    expect(proxy.counts()).toEqual({});
  });

  it('cuts the watches that are open and leaves new ones alone', async () => {
    const first = await watch();
    proxy.cutWatches();
    await eventually(first.ended, { withinMs: 30_000 });
    const second = await watch();
    upstream.emit('{"type":"ADDED"}\n');
    await eventually(() => second.text() === '{"type":"ADDED"}\n', { withinMs: 30_000 });
  });

  it('cuts the watches again and again', async () => {
    proxy.cutWatchesEvery(50);
    for (let i = 0; i < 3; i++) {
      // One that is cut before its first byte fails to open.
      const cut = await watch().catch(() => undefined);
      if (cut) await eventually(cut.ended, { withinMs: 30_000 });
    }
  });

  it('holds answers back', async () => {
    proxy.delayAnswers(150);
    const started = performance.now();
    await list();
    expect(performance.now() - started).toBeGreaterThan(140);
  });

  it('refuses connections like a stopped server and comes back on the same port', async () => {
    const open = await watch();
    const { url } = proxy;
    await proxy.refuse();
    await eventually(open.ended, { withinMs: 30_000 });
    await expect(list()).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    await proxy.accept();
    expect(proxy.url).toBe(url);
    expect(await list()).toEqual({ generation: 1 });
  });

  it('repeats old events of a watch, oldest first, but no bookmark', async () => {
    proxy.replayOldObjects(2);
    const replayed = await watch();
    upstream.emit('{"type":"ADDED","n":1}\n{"type":"BOOK');
    upstream.emit('MARK"}\n{"type":"MODIFIED","n":2}\n{"type":"DELETED","n":3}\n');
    const expected = [
      'ADDED","n":1',
      'BOOKMARK"',
      'MODIFIED","n":2',
      'ADDED","n":1',
      'MODIFIED","n":2',
      'DELETED","n":3',
    ];
    const text = expected.map((part) => `{"type":"${part}}\n`).join('');
    await eventually(() => replayed.text() === text, { withinMs: 30_000 });
  });

  it('splits answers into small pieces that add up', async () => {
    proxy.splitBytes(3);
    const split = await watch();
    upstream.emit('{"type":"ADDED","name":"größe"}\n');
    await eventually(() => Buffer.byteLength(split.text()) >= 33, { withinMs: 30_000 });
    expect(split.chunks.length).toBeGreaterThan(1);
  });

  it('answers lists from the past as often as told', async () => {
    expect(await list()).toEqual({ generation: 1 });
    upstream.generation = 2;
    proxy.serveStaleLists(1);
    expect(await list()).toEqual({ generation: 1 });
    expect(await list()).toEqual({ generation: 2 });
    upstream.generation = 1;
  });

  it('answers watches as expired as often as told', async () => {
    const open = await watch();
    proxy.expireWatches(1);
    await eventually(open.ended, { withinMs: 30_000 });
    const expired = await fetch(`${proxy.url}/api/v1/pods?watch=1`);
    expect(expired.status).toBe(200);
    expect(JSON.parse(await expired.text())).toMatchObject({ type: 'ERROR', object: { kind: 'Status', code: 410 } });
    const again = await watch();
    upstream.emit('{"type":"ADDED"}\n');
    await eventually(() => again.text() === '{"type":"ADDED"}\n', { withinMs: 30_000 });
  });

  it('fails one kind of request and no other', async () => {
    proxy.fail('GET pods', 500);
    const failed = await fetch(`${proxy.url}/api/v1/pods?limit=5`);
    expect(failed.status).toBe(500);
    expect(await failed.json()).toMatchObject({ kind: 'Status', code: 500 });
    expect((await fetch(`${proxy.url}/api/v1/nodes`)).status).toBe(200);
  });

  it('has no fault left after heal', async () => {
    proxy.delayAnswers(60_000);
    proxy.replayOldObjects(1);
    await proxy.refuse();
    await proxy.heal();
    expect(await list()).toEqual({ generation: 1 });
  });
});
