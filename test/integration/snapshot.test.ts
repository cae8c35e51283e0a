import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { StreamEvent } from '../../api/shapes/stream.ts';
import { CATALOG_RANGE } from '../../server/catalog/keys.ts';
import { writeArchive } from '../../server/snapshot/archive.ts';
import { writeSnapshot } from '../../store/snapshot-format.ts';
import type { StoreEntry } from '../../store/store.ts';
import { eventually } from '../support/eventually.ts';
import { jsonLines } from '../support/ndjson.ts';
import { jsonOf, RunningServer } from '../support/running-server.ts';

/** Of the bytes that are flipped in turn; a prime, so that every kind of place is met. 1 takes all. */
const STEP = process.env.FUZZ_RUNS ? 1 : 3;

let server: RunningServer;
beforeEach(async () => {
  server = await RunningServer.start();
  // What the server writes by itself at its start is there before anything is compared.
  const written = async () => (await content()).some((line) => line.includes('/connect-ca/state'));
  await eventually(written, { withinMs: 5000, everyMs: 2 });
});
afterEach(() => server.stop());

const save = async () => buffer((await server.call('GET', '/v1/snapshot')).stream!);
const restore = (archive: Uint8Array) =>
  server.call('PUT', '/v1/snapshot', { bodyStream: Readable.from([Buffer.from(archive)]) });
const put = (key: string, text: string, query = '') =>
  server.call('PUT', `/v1/kv/${key}${query}`, { body: Buffer.from(text) });
const item = async (key: string) => {
  const answer = await server.call('GET', `/v1/kv/${key}`);
  return answer.status === 404 ? undefined : (jsonOf(answer) as { Value: string; ModifyIndex: number }[])[0]!;
};
const content = async () => {
  const { entries } = await server.store.read(CATALOG_RANGE);
  return entries.map(({ key, value }) => `${key} ${Buffer.from(value).toString('base64')}`);
};
/** The part of an archive that must come again: its state without its revision and checksum. */
const stateOf = (archive: Uint8Array) => {
  const tar = gunzipSync(archive);
  const metaSize = Number.parseInt(tar.toString('latin1', 124, 136), 8);
  const at = 512 + Math.ceil(metaSize / 512) * 512;
  const size = Number.parseInt(tar.toString('latin1', at + 124, at + 136), 8);
  return tar.subarray(at + 512 + 18, at + 512 + size - 32).toString('base64');
};

it('gives back all that was saved, and indexes only rise', async () => {
  await server.register({ Node: 'n', Address: '10.0.0.1', Service: { ID: 'a', Service: 'web' } });
  await put('a', '@1,2\nbefore');
  const saved = await item('a');
  const archive = await save();
  await put('a', 'after');
  await put('b', 'new');
  await server.call('PUT', '/v1/catalog/deregister', { body: { Node: 'n' } });
  const before = await server.get('/v1/catalog/nodes');
  const waiting = server.get<unknown[]>(`/v1/catalog/nodes?index=${before.index}&wait=30s`);
  expect((await restore(archive)).status ?? 200).toBe(200);
  expect((await waiting).json).toHaveLength(2);
  expect((await waiting).index).toBeGreaterThan(before.index);
  expect(await item('a')).toEqual(saved);
  expect(await item('b')).toBeUndefined();
  expect(stateOf(await save())).toBe(stateOf(archive));
  expect((await content()).filter((line) => line.startsWith('catalog/0/'))).toEqual([]);
  expect((await put('a', 'next', `?cas=${saved!.ModifyIndex}`)).json).toBe(true);
  const next = (await item('a'))!.ModifyIndex;
  expect(next).toBeGreaterThan(before.index);
  await restore(await save());
  expect((await item('a'))!.ModifyIndex).toBe(next);
});

it('takes no write into a catalog that it has replaced', async () => {
  await put('a', '1');
  const archive = await save();
  const restoring = restore(archive);
  const writes = [];
  for (let at = 0; at < 200; at++) writes.push(put(`w${at}`, 'x'));
  await Promise.all([restoring, ...writes]);
  await put('last', 'x');
  expect(await item('last')).toBeDefined();
  const { entries } = await server.store.read({ start: 'catalog/0/', end: 'catalog/00' });
  expect(entries).toEqual([]);
});

it('refuses every damaged archive before anything is written', async () => {
  await put('a', 'x');
  const archive = await save();
  const before = await content();
  const tar = gunzipSync(archive);
  const bad = [Buffer.from('garbage'), archive.subarray(0, archive.length - 10), gzipSync(tar.subarray(0, 2000))];
  for (const at of [0, 130, 520, 1100, 1560, tar.length - 1600]) {
    const flipped = Buffer.from(tar);
    flipped[at]! ^= 1;
    bad.push(gzipSync(flipped));
  }
  for (const one of bad) {
    const answer = await restore(one);
    expect(answer.status).toBe(500);
    expect(answer.text).toMatch(/snapshot/);
  }
  expect(await content()).toEqual(before);
});

/** An archive with these entries whose meta.json is changed, or with these bytes for its state. */
async function crafted(state: Uint8Array | readonly StoreEntry[], change: (meta: object) => object): Promise<Buffer> {
  const meta = { Version: 1, ID: 'x', Index: 7, Term: 1, Lictor: { Format: 1, Datacenter: 'dc1' } };
  const chunks = async function* () {
    if (state instanceof Uint8Array) yield state;
    else yield* writeSnapshot(7, [state]);
  };
  const parts: Uint8Array[] = [];
  for await (const part of writeArchive(change(meta) as typeof meta, chunks, 0)) parts.push(Buffer.from(part));
  return gzipSync(Buffer.concat(parts));
}

const entry = (key: string, text: string): StoreEntry => {
  return { key, value: Buffer.from(text), createRevision: 5, modRevision: 6 };
};

it('tells an archive of Consul, and one of a newer version, from a damaged one', async () => {
  const newer = (meta: object) => ({ ...meta, Lictor: { Format: 3, Datacenter: 'dc1' } });
  const consuls = ({ Lictor: _, ...meta }: { Lictor?: unknown }) => meta;
  const noState = Buffer.from([0x81, 0xa9, 0x4c, 0x61, 0x73, 0x74]);
  expect((await restore(await crafted(noState, consuls))).text).toMatch(/archives of Consul cannot be read/);
  expect((await restore(await crafted([entry('new-kind/x', '{}')], newer))).text).toMatch(/format 3.*newer version/);
  expect((await restore(await crafted(noState, (meta) => meta))).text).toMatch(/damaged near byte/);
});

it.each([
  ['an index line of its own', '@5\n', 500],
  ['nothing else', '', 200],
])('an entry with %s before its record', async (_, before, status) => {
  const record = '{"node":"n","namespace":"default","checkId":"c","serviceId":"","definition":{}}';
  const node = '{"name":"n","id":"","address":"10.0.0.1"}';
  const entries = [entry('check-definition/n/default/c', before + record), entry('node/n', node)];
  expect((await restore(await crafted(entries, (meta) => meta))).status ?? 200).toBe(status);
});

it.each([
  ['node/n', '{"name":5}', 'name must be a name'],
  ['node-id/x', '5', 'the record must be a name'],
  ['owner/operator', '{"epoch":"1"}', 'epoch must be a number'],
  ['instance/n/default/w', '[{"content":{"Service":{}}}]', 'content.Service must be a text'],
  ['check-definition/n/default/c', '[{"state":{"status":"passing","output":5}}]', 'state.output must be a text'],
  ['check-state/n/default/c', '[]', 'must be a list of one object'],
  ['autopilot/config', '[]', 'the record must be an object'],
  ['config-entry/entry/service-intentions/web', '{}', 'Kind must be a name'],
  ['config-entry/entry/service-intentions/web', '{"Kind":"service-intentions","Name":"web"}', 'Sources must be a list'],
  ['config-entry/entry/service-defaults/web', '{"Kind":"service-defaults","Name":"api"}', 'which its key does not say'],
  ['config-entry/graph', '"x"', 'the record must be a whole number'],
  ['connect-ca/key/x', '{"pem":null}', 'pem must be a name'],
  ['connect-ca/root/x', '{}', 'id must be a name'],
  ['connect-ca/state', 'null', 'the record must be an object'],
  ['coordinate/n/', '{"node":"n","segment":"","coordinate":{"Vec":[1,null]}}', 'coordinate.Vec[1] must be a number'],
  ['kv/default/a', '{}', 'its first byte must be 1'],
  ['lock-delay/default/a', '{"untilMs":1e999,"delayMs":1}', 'untilMs must be a number'],
  ['manual-virtual-address/service/default/web', '["240.0.0.1",5]', 'the record[1] must be a text'],
  ['namespace/team', '{"Name":"team"}', 'Description must be a text'],
  ['query/id/x', '{"id":"x"}', 'content must be an object'],
  ['session/x', '{"id":"x","namespace":"default","content":{"Name":"","Node":7}}', 'content.Node must be a text'],
  ['virtual-address/last', '1e20', 'must be a whole number from 1'],
])(
  'refuses an archive with a wrong entry of %s (%s) by its name, before anything is written',
  async (key, text, why) => {
    await put('a', 'x');
    const before = await content();
    const good = entry('node/a', '{"name":"a","id":"","address":"10.0.0.1"}');
    const entries = [good, entry(key, text)].sort((a, b) => (a.key < b.key ? -1 : 1));
    const answer = await restore(await crafted(entries, (meta) => meta));
    expect([answer.status, answer.text]).toEqual([500, expect.stringContaining(why)]);
    expect(answer.text).toContain(key);
    expect(await content()).toEqual(before);
  },
);

it('saves what cannot be read with all else, and takes it back once it is mended', async () => {
  await put('a', 'x');
  await put('b', 'x');
  const raw = (value: string) =>
    server.store.commit({
      compares: [],
      ops: [{ kind: 'put', key: 'catalog/0/kv/default/b', value: Buffer.from(value) }],
    });
  await raw('@damaged');
  expect((await restore(await save())).text).toContain('kv/default/b');
  await put('b', 'anew');
  expect((await restore(await save())).status ?? 200).toBe(200);
  expect(await item('b')).toMatchObject({ Value: Buffer.from('anew').toString('base64') });
});

it('refuses an archive with a flipped byte anywhere, or cut anywhere, before anything is written', async () => {
  await server.register({ Node: 'n', Address: '10.0.0.1', Service: { ID: 'a', Service: 'web' } });
  await put('a', 'x');
  const archive = await save();
  const tar = gunzipSync(archive);
  // The time, the level and the system in gzip's header say nothing about the content.
  const header = 10;
  const meaningless = [4, 5, 6, 7, 8, 9];
  for (let at = 0; at < archive.length; at += STEP) {
    if (meaningless.includes(at)) continue;
    const flipped = Buffer.from(archive);
    flipped[at]! ^= at < header ? 0xff : 1 << (at % 8);
    // A flip may name another run of the same bytes: then nothing is damaged.
    if ((await restore(flipped)).status !== 500) expect([at, gunzipSync(flipped).equals(tar)]).toEqual([at, true]);
    if (at % 7 === 0) expect([at, (await restore(archive.subarray(0, at))).status]).toEqual([at, 500]);
  }
  // Of the plain form: names, sizes, types, checksums and padding of the tar, and every file in it. What its headers say
  // beside that (owner, rights, time) is covered by their own checksums.
  for (let at = 0; at < tar.length - 1024; at += 4 * STEP) {
    const flipped = Buffer.from(tar);
    flipped[at]! ^= 1 << (at % 8);
    const answer = await restore(gzipSync(flipped, { level: 1 }));
    if (answer.status !== 500) expect([at, isPadding(tar, at)]).toEqual([at, true]);
    else expect(answer.text).toMatch(/snapshot/);
  }
  expect(new Set((await content()).map((line) => /^catalog\/\d+\//.exec(line)?.[0] ?? ''))).toHaveProperty('size', 2);
  expect(stateOf(await save())).toBe(stateOf(archive));
}, 120_000);

/** Whether the byte only fills up a block after a file, or is of a header's checksum, whose number can be written otherwise. */
function isPadding(tar: Buffer, at: number): boolean {
  for (let header = 0; tar[header] !== 0; ) {
    const end = header + 512 + Number.parseInt(tar.toString('latin1', header + 124, header + 136), 8);
    const next = Math.ceil(end / 512) * 512;
    if ((at >= end && at < next) || (at >= header + 148 && at < header + 156)) return true;
    header = next;
  }
  return false;
}

it('wakes every blocked query, and begins every stream anew', async () => {
  await server.register({ Node: 'n', Address: '10.0.0.1', Service: { ID: 'a', Service: 'web' } });
  await put('k/a', 'x');
  const archive = await save();
  const lines = async (path: string) => {
    const { stream } = await server.call('GET', path, { signal: streaming.signal });
    return jsonLines<StreamEvent>(stream!);
  };
  const streaming = new AbortController();
  const [health, catalog] = [await lines('/v1/stream/health?service=web'), await lines('/v1/stream/catalog')];
  const until = async (events: AsyncIterator<StreamEvent>, type: string) => {
    const seen: StreamEvent[] = [];
    for (;;) {
      const event = (await events.next()).value as StreamEvent;
      seen.push(event);
      if (event.Type === type) return seen;
    }
  };
  for (const events of [health, catalog]) await until(events, 'synced');
  const paths = [
    ...['/v1/kv/k/a', '/v1/kv/k/?recurse', '/v1/kv/?keys', '/v1/kv/absent', '/v1/session/list', '/v1/catalog/services'],
    ...['/v1/catalog/node/n', '/v1/health/service/web', '/v1/health/service/absent', '/v1/health/state/any'],
    ...['/v1/connect/intentions', '/v1/connect/ca/roots', '/v1/catalog/service/web'],
  ];
  const before = await Promise.all(paths.map((path) => server.call('GET', path)));
  const indexes = before.map(({ meta }) => meta!.index!);
  const waiting = paths.map((path, at) =>
    server.call('GET', `${path}${path.includes('?') ? '&' : '?'}index=${indexes[at]}&wait=60s`),
  );
  expect((await restore(archive)).status ?? 200).toBe(200);
  const after = await Promise.all(waiting);
  for (const [at, path] of paths.entries()) {
    expect([path, after[at]!.meta!.index! > indexes[at]!]).toEqual([path, true]);
    expect([path, after[at]!.status ?? 200]).toEqual([path, before[at]!.status ?? 200]);
  }
  for (const events of [health, catalog]) {
    const again = await until(events, 'synced');
    expect(again.find(({ Type }) => Type === 'snapshot')).toBeDefined();
    expect(again.filter(({ Type }) => Type === 'upsert').length).toBeGreaterThan(0);
  }
  streaming.abort();
});

it('deletes at its start what an interrupted restore has left', async () => {
  await put('a', 'x');
  await server.stop();
  const { store } = server;
  const value = Buffer.from('{}');
  await store.commit({ compares: [], ops: [{ kind: 'put', key: 'catalog/1/kv/default/z', value }] });
  server = await RunningServer.start({ store });
  expect(await item('a')).toBeDefined();
  for (let at = 0; at < 100 && (await content()).some((line) => line.startsWith('catalog/1/')); at++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await content()).filter((line) => line.startsWith('catalog/1/'))).toEqual([]);
});
