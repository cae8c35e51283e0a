import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { snapshotCommand } from '../../lictor/snapshot-command.ts';
import { FakeApi, runForTest } from '../support/command-run.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';
import { RunningServer } from '../support/running-server.ts';

let folder: string;
let archive: Buffer;
beforeAll(async () => {
  folder = tempFolder('snapshot');
  const server = await RunningServer.start();
  await server.register({ Node: 'n', Address: '10.0.0.1', Service: { Service: 'web' } });
  for (const key of ['vault/core/lock', 'vault/core/seal', 'vault/sys', 'app/\u0001']) {
    await server.call('PUT', `/v1/kv/${encodeURIComponent(key)}`, { body: Buffer.from('value') });
  }
  const { stream } = await server.call('GET', '/v1/snapshot');
  const chunks: Buffer[] = [];
  for await (const chunk of stream!) chunks.push(chunk as Buffer);
  archive = Buffer.concat(chunks);
  await server.stop();
});
afterAll(() => removeFolder(folder));

it('saves what it has verified, shows what is in it, and sends it back', async () => {
  const api = await FakeApi.start({ 'GET /v1/snapshot': { body: archive }, 'PUT /v1/snapshot': {} });
  const file = join(folder, 'a.snap');
  expect((await api.run(snapshotCommand, ['save', file])).stdout).toMatch(
    /^Saved and verified snapshot to index \d+\n$/,
  );
  expect(readFileSync(file).equals(archive)).toBe(true);
  const shown = (await runForTest(snapshotCommand, ['inspect', file])).stdout;
  expect(shown).toMatch(/^ ID +1-\d+-\d+\n Size +\d+\n Index +\d+\n Term +1\n Version +1\n\n Type +Count +Size\n/);
  expect(shown).toMatch(/ instance +2 +/);
  const asJson = await runForTest(snapshotCommand, ['inspect', file, '-format=json']);
  const { Stats } = JSON.parse(asJson.stdout) as { Stats: unknown[] };
  expect(Stats).toContainEqual(expect.objectContaining({ Name: 'node', Count: 2 }));
  expect((await api.run(snapshotCommand, ['restore', file])).stdout).toBe('Restored snapshot\n');
  expect(api.seen.at(-1)).toMatchObject({ method: 'PUT', url: '/v1/snapshot' });
  await api.stop();
});

it('keeps nothing of an archive that is cut, and names a file that is not there', async () => {
  const api = await FakeApi.start({ 'GET /v1/snapshot': { body: archive.subarray(0, 200) } });
  const file = join(folder, 'cut.snap');
  await expect(api.run(snapshotCommand, ['save', file])).rejects.toThrow(/snapshot/);
  expect([existsSync(file), existsSync(`${file}.unverified`)]).toEqual([false, false]);
  await expect(api.run(snapshotCommand, ['restore', file])).rejects.toThrow('cut.snap');
  writeFileSync(file, archive.subarray(0, 200));
  await expect(runForTest(snapshotCommand, ['inspect', file])).rejects.toThrow(/snapshot/);
  await expect(api.run(snapshotCommand, ['restore', file])).rejects.toThrow(/restoring .*cut\.snap: .*404/);
  await api.stop();
});

it('names what is no archive, and a folder that is not there, before anything is asked', async () => {
  const file = join(folder, 'notes.txt');
  writeFileSync(file, 'hello');
  for (const name of ['inspect', 'decode']) {
    await expect(runForTest(snapshotCommand, [name, file])).rejects.toThrow(
      /notes\.txt is no archive, or is damaged \(.*header check\); give one that 'lictor snapshot save' has written$/,
    );
    await expect(runForTest(snapshotCommand, [name, folder])).rejects.toThrow(
      /: it is a folder; name the archive in it$/,
    );
    await expect(runForTest(snapshotCommand, [name, `${file}x`])).rejects.toThrow(
      /txtx: there is no such file or folder/,
    );
  }
  const api = await FakeApi.start({ 'GET /v1/snapshot': { body: archive } });
  const save = (path: string) => api.run(snapshotCommand, ['save', path]);
  await expect(save('/no/such/x')).rejects.toThrow('/no/such/x: there is no folder /no/such; make it first');
  await expect(save(join(file, 'x'))).rejects.toThrow(/notes\.txt is no folder; use another path$/);
  expect(api.seen).toEqual([]);
  await api.stop();
});

it('counts what the key/value store holds by the beginnings of keys', async () => {
  const file = join(folder, 'kv.snap');
  writeFileSync(file, archive);
  const shown = async (...flags: string[]) => (await runForTest(snapshotCommand, ['inspect', ...flags, file])).stdout;
  const table = (await shown('-kvdetails')).split('\n\n')[2]!;
  expect(table.split('\n').map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
    [' Key Name', 'Count'],
    [' ----', '----'],
    [' vault/core', '2'],
    [' vault/sys', '1'],
    [' app/\u0001', '1'],
    [' ----', '----'],
    [' Total', expect.stringMatching(/^\d+B$/)],
    [''],
  ]);
  const narrow = JSON.parse(await shown('-kvdetails', '-kvdepth=3', '-kvfilter=vault/core', '-format=json')) as {
    StatsKV: { Name: string; Count: number; Size: number }[];
    TotalSizeKV: number;
  };
  expect(narrow.StatsKV.map(({ Name, Count }) => [Name, Count])).toEqual([
    ['vault/core/lock', 1],
    ['vault/core/seal', 1],
  ]);
  expect(narrow.TotalSizeKV).toBe(narrow.StatsKV.reduce((sum, { Size }) => sum + Size, 0));
  await expect(shown('-kvdepth=3')).rejects.toThrow(/-kvdepth and -kvfilter need -kvdetails/);
  await expect(shown('-kvdetails', '-kvdepth=0')).rejects.toThrow(/use a whole number from 1 to 100/);
});

it('prints all that an archive holds, a line of JSON each, and nothing of one that is cut', async () => {
  const file = join(folder, 'all.snap');
  writeFileSync(file, archive);
  const { stdout } = await runForTest(snapshotCommand, ['decode', file]);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { Type: string; Data: Record<string, unknown> });
  expect(lines[0]).toMatchObject({ Type: 'SnapshotHeader', Data: { Index: expect.any(Number), Version: 1 } });
  const instance = lines.find(({ Type, Data }) => Type === 'instance' && String(Data.Key).startsWith('n/'))!;
  expect(instance.Data).toMatchObject({ Record: { node: 'n', content: { Service: 'web' } } });
  const { Index } = lines[0]!.Data;
  expect(
    lines.slice(1).filter(({ Data }) => !(Number(Data.CreateIndex) > 0 && Number(Data.ModifyIndex) <= Number(Index))),
  ).toEqual([]);
  expect(lines.filter(({ Type }) => Type === 'kv').map(({ Data }) => Data)).toContainEqual({
    Namespace: 'default',
    Key: 'app/\u0001',
    Value: Buffer.from('value').toString('base64'),
    Flags: 0,
    LockIndex: 0,
    CreateIndex: expect.any(Number),
    ModifyIndex: expect.any(Number),
  });
  // What inspect counts is what decode prints.
  const counted = JSON.parse((await runForTest(snapshotCommand, ['inspect', file, '-format=json'])).stdout) as {
    Stats: { Count: number }[];
  };
  expect(lines.length - 1).toBe(counted.Stats.reduce((sum, { Count }) => sum + Count, 0));
  writeFileSync(file, archive.subarray(0, archive.length - 100));
  await expect(runForTest(snapshotCommand, ['decode', file])).rejects.toThrow(/snapshot/);
});
