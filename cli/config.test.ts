import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeApi } from '../test/support/command-run.ts';
import { entryOf } from './config/entry-file.ts';
import { configCommand } from './config.ts';
import { parseDefinitions } from './definition-file.ts';

const read = (text: string) => entryOf({ name: 'a.hcl', value: parseDefinitions('a.hcl', text).value });

describe('entries of files', () => {
  it.each([
    ['Kind = "service-defaults"\nName = "web"\nProtocol = "http"', 'service-defaults', 'web'],
    ['kind = "service-defaults"\nname = "web"\nmesh_gateway { mode = "local" }', 'service-defaults', 'web'],
    ['Kind = "mesh"', 'mesh', 'mesh'],
    [
      'Kind = "service-resolver"\nName = "web"\nSubsets "v1" { OnlyPassing = true }\nSubsets "v2" { OnlyPassing = true }\nDefaultSubset = "v2"',
      'service-resolver',
      'web',
    ],
    ['Kind = "service-splitter"\nName = "web"\nSplits { Weight = 100 }', 'service-splitter', 'web'],
    [
      '{"Kind": "ingress-gateway", "Name": "in", "Listeners": [{"Port": 80, "Services": [{"Name": "*"}], "Protocol": "http"}]}',
      'ingress-gateway',
      'in',
    ],
  ])('are read: %s', (text, kind, name) => {
    expect(read(text)).toMatchObject({ kind, name });
  });

  it.each([
    ['Name = "web"', /a\.hcl: Payload does not contain a kind/],
    [
      'Kind = "service-default"\nName = "web"',
      /a\.hcl: invalid config entry kind: service-default; did you mean service-defaults\?/,
    ],
    ['Kind = "other"\nName = "web"', /kind: other; use one of service-defaults, /],
    [
      'Kind = "service-defaults"\nName = "web"\nprotcol = "http"',
      /invalid config key "protcol", did you mean "Protocol"\?/,
    ],
    [
      'Kind = "service-defaults"\nName = "web"\nMeshGateway { Mod = "local" }',
      /"MeshGateway.Mod", did you mean "Mode"\?/,
    ],
    ['Kind = "service-defaults"', /Name is required/],
    ['Kind = "service-defaults"\na = 1\nb = 1', /a\.hcl: invalid config key "a"; invalid config key "b"$/],
    ['Kind = "service-defaults"\nName = "web', /a\.hcl: line 2/],
  ])('are refused: %s', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });
});

describe('lictor config', () => {
  let api: FakeApi;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lictor-config-'));
    api = await FakeApi.start({ 'PUT /v1/config': ({ url }) => ({ body: !url.includes('cas=7') }) });
    writeFileSync(join(folder, 'web.hcl'), 'kind = "service-defaults"\nname = "web"\nmeta { a = "1" }');
    writeFileSync(join(folder, 'wrong.hcl'), 'kind = "service-defaults"\nname = "web"\nprotocl = "x"');
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await api.stop();
  });
  const run = (...argv: string[]) => api.run(configCommand, argv);
  const web = () => join(folder, 'web.hcl');

  it('writes what a file holds as it is written', async () => {
    expect((await run('write', web())).stdout).toBe('Config entry written: service-defaults/web\n');
    expect(JSON.parse(api.seen.at(-1)!.body)).toEqual({ kind: 'service-defaults', name: 'web', meta: { a: '1' } });
  });

  it('writes nothing when one of the files is wrong', async () => {
    const before = api.seen.length;
    await expect(run('write', web(), join(folder, 'wrong.hcl'))).rejects.toThrow(
      /wrong\.hcl: .*did you mean "Protocol"/,
    );
    expect(api.seen.length).toBe(before);
  });

  it('tells when the index was another one', async () => {
    expect((await run('write', '-cas', web())).code).toBe(0);
    expect(api.seen.at(-1)!.url).toBe('/v1/config?cas=0');
    expect(await run('write', '-cas', '-modify-index=7', web())).toMatchObject({
      code: 1,
      stderr: 'Config entry not updated: service-defaults/web (its index is not 7)\n',
    });
  });

  it.each([
    [['write'], /missing required argument 'files'/],
    [['write', '-cas', 'a', 'b'], /-cas: give one file/],
    [['write', '-modify-index=3', 'a'], /Cannot specify -modify-index without -cas!/],
    [['read', '-name=web'], /Must specify the -kind parameter; use one of service-defaults, /],
    [['read', '-kind=mesh'], /Must specify the -name parameter/],
    [['list', '-kind=service-intention'], /did you mean service-intentions\?/],
    [['delete', '-kind=mesh', '-name=mesh', '-cas'], /Must specify -modify-index with -cas!/],
    [['delete', '-kind=mesh', '-name=mesh', '-cas', '-modify-index=x'], /use a whole number/],
    [['delete', '-kind=mesh', '-filename=a'], /either it or -kind and -name/],
  ])('refuses %j', async (argv, message) => {
    await expect(run(...argv)).rejects.toThrow(message);
  });
});
