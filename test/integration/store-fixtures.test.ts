import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { STORE_FORMAT } from '../../store/lmdb/store-meta.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { runLictor } from '../support/processes/run-lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

/** Data folders and archives of earlier versions, made by scripts/make-store-fixture: every version opens them. */
const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url));
const FORMATS = readdirSync(FIXTURES).filter((name) => name.startsWith('store-lmdb-'));

interface Pair {
  readonly Key: string;
  readonly Value: string;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

async function put(server: AgentProcess, path: string, body: string): Promise<string> {
  return (await fetch(`${server.url}${path}`, { method: 'PUT', body })).text();
}

/** That the server has what the fixture holds, and goes on from there. */
async function expectContent(server: AgentProcess): Promise<void> {
  const pairs = await server.get<Pair[]>('/v1/kv/fixture/?recurse');
  expect(pairs.map(({ Key, Value }) => [Key, Buffer.from(Value, 'base64').toString()])).toEqual([
    ['fixture/first', 'one'],
    ['fixture/second', 'three'],
  ]);
  const second = pairs[1]!;
  expect(second.ModifyIndex).toBeGreaterThan(second.CreateIndex);
  expect(await server.get('/v1/health/service/db')).toMatchObject([
    {
      Node: { Node: 'db-1', Address: '10.0.0.1', Meta: { rack: 'a' } },
      Service: { ID: 'db-a', Port: 5432, Tags: ['v1'], Meta: { team: 'shop' } },
      Checks: [{ CheckID: 'db-ok', Status: 'warning', Output: 'slow' }],
    },
  ]);
  expect(await server.get('/v1/config/service-defaults/db')).toMatchObject({ Protocol: 'tcp' });
  const intentions = await server.get<object[]>('/v1/connect/intentions');
  expect(intentions).toMatchObject([{ SourceName: 'web', DestinationName: 'db', Action: 'deny' }]);
  expect(await server.get('/v1/query')).toMatchObject([{ Name: 'nearest-db', Service: { Service: 'db' } }]);
  expect(await put(server, `/v1/kv/fixture/second?cas=${second.ModifyIndex - 1}`, 'no')).toBe('false');
  expect(await put(server, `/v1/kv/fixture/second?cas=${second.ModifyIndex}`, 'four')).toBe('true');
  const [after] = await server.get<Pair[]>('/v1/kv/fixture/second');
  expect(after!.ModifyIndex).toBeGreaterThan(second.ModifyIndex);
}

it('there is a fixture of the format that this version writes', () => {
  expect(FORMATS).toContain(`store-lmdb-${STORE_FORMAT}`);
});

describe.each(FORMATS)('%s', (name) => {
  const folder = tempFolder('fixture');
  afterAll(() => removeFolder(folder));

  it('is opened as a data folder', async () => {
    const data = join(folder, 'data');
    mkdirSync(data);
    execFileSync('tar', ['-xzf', join(FIXTURES, name, 'data.tar.gz'), '-C', data]);
    // The later flag counts.
    const server = await startServer({ node: 'fixture', args: [`-data-dir=${data}`] });
    try {
      await expectContent(server);
      const from = Number(name.split('-').at(-1));
      const raised = `"from":${from},"to":${STORE_FORMAT},"msg":"the format of the folder was raised`;
      expect(server.log().includes(raised)).toBe(from < STORE_FORMAT);
    } finally {
      await server.stop();
    }
  }, 120_000);

  it('is restored from its archive', async () => {
    const archive = join(FIXTURES, name, 'snapshot.archive');
    const { Meta } = JSON.parse((await runLictor(['snapshot', 'inspect', '-format=json', archive])).stdout) as {
      Meta: { Index: number };
    };
    const server = await startServer();
    try {
      const { stderr, code } = await runLictor(['snapshot', 'restore', archive], { agent: server });
      expect([code, stderr]).toEqual([0, '']);
      await expectContent(server);
      const [pair] = await server.get<Pair[]>('/v1/kv/fixture/first');
      expect(pair!.ModifyIndex).toBeLessThanOrEqual(Meta.Index);
    } finally {
      await server.stop();
    }
  }, 120_000);

  it('is whole in the checkout', () => {
    expect(readFileSync(join(FIXTURES, name, 'data.tar.gz')).length).toBeLessThan(200_000);
  });
});
