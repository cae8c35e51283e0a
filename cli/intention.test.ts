import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeApi } from '../test/support/command-run.ts';
import { wantedOf } from './intention/create.ts';
import { intentionDetails, intentionText, rfc850 } from './intention/shown.ts';
import { intentionCommand } from './intention.ts';

const base = { SourceNS: 'default', DestinationNS: 'default', SourceType: 'consul', CreateIndex: 1, ModifyIndex: 1 };
const web = { ...base, SourceName: 'web', DestinationName: 'db', Action: 'allow' as const, Precedence: 9 };

describe('intentions in words', () => {
  it('say who may call whom', () => {
    expect(intentionText(web)).toBe('web => db (allow)');
    expect(intentionText({ SourceName: 'web', SourcePeer: 'east', DestinationName: '*', Permissions: [{}] })).toBe(
      'peer:east/web => * (1 permission)',
    );
  });

  it('have their facts in one column', () => {
    const shown = intentionDetails({ ...web, ID: 'i', Meta: { a: 'b' }, CreatedAt: '2018-06-27T22:45:07.5Z' });
    expect(shown).toBe(
      'Source:       web\nDestination:  db\nAction:       allow\nPrecedence:   9\nID:           i\nMeta[a]:      b\nCreated At:   Wednesday, 27-Jun-18 22:45:07 UTC\n',
    );
    expect(rfc850('never')).toBe('never');
  });
});

describe('lictor intention', () => {
  let api: FakeApi;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lictor-intention-'));
    api = await FakeApi.start({
      'GET /v1/connect/intentions/exact': ({ url }) =>
        url.includes('source=old')
          ? { body: web }
          : url.includes('source=id')
            ? { body: { ...web, ID: 'i1' } }
            : { status: 404 },
      'PUT /v1/connect/intentions/exact': { body: true },
      'POST /v1/connect/intentions': { body: { ID: 'i2' } },
      'PUT /v1/connect/intentions/i1': { body: { ID: 'i1' } },
      'GET /v1/connect/intentions/check': ({ url }) => ({ body: { Allowed: url.includes('source=web') } }),
    });
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await api.stop();
  });
  const run = (...argv: string[]) => api.run(intentionCommand, argv);
  const last = () => api.seen.at(-1)!;

  it('makes one where there is none', async () => {
    expect((await run('create', '-deny', 'peer:east/web', '*')).stdout).toBe('Created: peer:east/web => * (deny)\n');
    expect(last()).toMatchObject({
      method: 'PUT',
      url: '/v1/connect/intentions/exact?source=peer%3Aeast%2Fweb&destination=*',
      body: '{"Action":"deny","SourceType":"consul"}',
    });
    await expect(run('create', 'old', 'db')).rejects.toThrow(
      /Error creating intention "old => db \(allow\)": there is one already: web => db \(allow\); see -replace/,
    );
    expect((await run('create', '-replace', 'old', 'db')).code).toBe(0);
  });

  it('gives metadata to those that have ids', async () => {
    await run('create', '-meta=a=b', 'web', 'db');
    expect(last()).toMatchObject({ method: 'POST', url: '/v1/connect/intentions' });
    expect(JSON.parse(last().body)).toMatchObject({ SourceName: 'web', Meta: { a: 'b' }, Action: 'allow' });
    await run('create', '-replace', '-meta=a=b', 'id', 'db');
    expect(last()).toMatchObject({ method: 'PUT', url: '/v1/connect/intentions/i1' });
    await expect(run('create', '-replace', '-meta=a=b', 'old', 'db')).rejects.toThrow(/takes no metadata; delete it/);
  });

  it('reads all files before it makes the first', async () => {
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const good = file('a.json', '{"SourceName": "web", "DestinationName": "db", "Action": "deny", "Description": "d"}');
    const bad = file('b.json', '{"SourceName": "web", "DestinationName": "db", "Acton": "deny"}');
    const before = api.seen.length;
    await expect(run('create', '-file', good, bad)).rejects.toThrow(/b\.json: unknown field "Acton"/);
    expect(api.seen.length).toBe(before);
    expect((await run('create', '-file', good)).stdout).toBe('Created: web => db (deny)\n');
    expect(JSON.parse(last().body)).toEqual({ Action: 'deny', Description: 'd', SourceType: 'consul' });
  });

  it('ends with 2 for what is denied', async () => {
    expect(await run('check', 'web', 'db')).toEqual({ code: 0, stdout: 'Allowed\n', stderr: '' });
    expect(await run('check', 'app', 'db')).toEqual({ code: 2, stdout: 'Denied\n', stderr: '' });
  });

  it.each([
    [['create', 'web'], /give two services/],
    [['create', '-allow', '-deny', 'a', 'b'], /Only one of -allow or -deny/],
    [['create', '-file', '-deny', 'a.json'], /leave -allow, -deny and -meta out/],
    [['create', '-meta=x', 'a', 'b'], /write key=value/],
    [['match', '-source', '-destination', 'web'], /Only one of -source or -destination/],
    [['get', 'web', 'none'], /there is no intention web => none; 'lictor intention list'/],
    [['check', 'web'], /missing required argument 'destination'/],
  ])('refuses %j', async (argv, message) => {
    await expect(run(...argv)).rejects.toThrow(message);
  });

  it.each([
    [{ SourceName: 'web' }, /f: DestinationName must be given/],
    [{ DestinationName: 'web' }, /f: SourceName must be given/],
    [{ SourceName: 'web', DestinationName: 'db', SourceNS: 'other' }, /f: SourceNS "other"/],
  ])('refuses a file with %j', (value, message) => {
    expect(() => wantedOf('f', value)).toThrow(message);
  });
});
