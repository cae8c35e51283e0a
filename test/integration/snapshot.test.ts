import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { CATALOG_RANGE } from '../../server/catalog/keys.ts';
import { eventually } from '../support/eventually.ts';
import { jsonOf, RunningServer } from '../support/running-server.ts';

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
