import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeApi, runForTest } from '../test/support/command-run.ts';
import { apiOptions } from './api-options.ts';
import { stopAtFirstArgument } from './arguments.ts';
import { CommandExit } from './command.ts';
import { type ClientFlags, command, program, repeated, subProgram, withApi, withClientFlags } from './program.ts';
import { readValue } from './values.ts';

type Flags = ClientFlags & { meta?: string[]; loud?: boolean };
const seen: { flags: Flags; args: string[] }[] = [];
const probe = command({
  name: 'probe',
  summary: '',
  program(io) {
    const root = program('lictor probe', 'Probes.', ['lictor probe group leaf'], io);
    const group = subProgram(root, 'group', 'A group.', ['lictor probe group leaf'], io);
    withClientFlags(subProgram(group, 'leaf', 'A leaf.', ['lictor probe group leaf x'], io))
      .argument('[args...]')
      .option('--meta <pair>', 'pairs', repeated)
      .option('--loud', 'aloud')
      .action((args: string[], flags: Flags) => void seen.push({ flags, args }));
    stopAtFirstArgument(subProgram(root, 'exec', 'Runs.', [], io))
      .argument('[args...]')
      .option('--loud', 'aloud')
      .action((args: string[], flags: Flags) => void seen.push({ flags, args }));
    subProgram(root, 'exit', 'Ends.', [], io).action(() => {
      throw new CommandExit(2, 'not acquired');
    });
    withClientFlags(subProgram(root, 'call', 'Calls.', [], io)).action((flags: Flags) =>
      withApi(flags, io, async (api) => {
        const answer = await api.send('PUT', '/v1/thing', {
          json: { a: 1 },
          query: { tag: ['a', 'b'] },
          accept: [409],
        });
        io.stdout.write(`${answer.status} ${answer.index} ${answer.text()}`);
      }),
    );
    return root;
  },
});
const run = (...argv: string[]) => runForTest(probe, argv);
beforeEach(() => void seen.splice(0));

describe('a command', () => {
  it('takes flags with one dash and two, booleans with values, and repeated ones', async () => {
    await run('group', 'leaf', '-meta', 'a=b', '--meta=c=d', '-loud=true', '-stale=false', 'x');
    expect(seen[0]).toMatchObject({ args: ['x'], flags: { meta: ['a=b', 'c=d'], loud: true } });
    expect(seen[0]!.flags.stale).toBeUndefined();
    await expect(run('group', 'leaf', '-loud=maybe')).rejects.toThrow('--loud=maybe: use true or false');
  });

  it('leaves values and the flags of a child command alone', async () => {
    await run('group', 'leaf', '-meta', '-odd-value', '-http-addr', 'a:1');
    expect(seen[0]!.flags).toMatchObject({ meta: ['-odd-value'], httpAddr: 'a:1' });
    await run('exec', '-loud', 'ls', '-long', '--all=true');
    expect(seen[1]).toMatchObject({ args: ['ls', '-long', '--all=true'], flags: { loud: true } });
  });

  it('prints the help of a group that misses its sub-command and ends with 1, and help on request with 0', async () => {
    expect(await run('group')).toMatchObject({ code: 1 });
    const help = await run('group', 'leaf', '-help');
    expect(help.code).toBe(0);
    expect(help.stdout).toContain('Examples:\n  lictor probe group leaf x');
  });

  it('ends with the code of an action, and names a wrong flag or sub-command', async () => {
    expect(await run('exit')).toEqual({ code: 2, stdout: '', stderr: 'not acquired\n' });
    await expect(run('group', 'leaf', '-lod')).rejects.toThrow(/unknown option '--lod'/);
    await expect(run('group', 'leav')).rejects.toThrow(/leav/);
  });

  it('speaks of itself by the name it was called by', async () => {
    const { stdout } = await runForTest(probe, ['--help'], { invokedAs: 'consul' });
    expect(stdout).toContain('Usage: consul probe');
    expect(stdout).toContain('  consul probe group leaf');
  });
});

describe('HttpApi', () => {
  it('sends what it is given and shows status, index and body', async () => {
    const api = await FakeApi.start({
      'PUT /v1/thing': { status: 409, headers: { 'X-Consul-Index': '7' }, body: 'no' },
    });
    const { stdout } = await api.run(probe, ['call', '-stale', '-namespace', 'shop', '-datacenter=dc2'], {
      env: { CONSUL_HTTP_AUTH: 'u:p', CONSUL_HTTP_TOKEN: 'secret' },
    });
    expect(stdout).toBe('409 7 no');
    expect(api.seen[0]).toMatchObject({
      method: 'PUT',
      url: '/v1/thing?ns=shop&dc=dc2&stale=&tag=a&tag=b',
      body: '{"a":1}',
      headers: { authorization: 'Basic dTpw', 'x-consul-token': 'secret', 'content-type': 'application/json' },
    });
    await api.stop();
  });

  it('names status and text of a refusal', async () => {
    const api = await FakeApi.start({ 'PUT /v1/thing': { status: 500, body: 'No cluster leader\n' } });
    await expect(api.run(probe, ['call'])).rejects.toThrow(/answered 500 to \/v1\/thing: No cluster leader$/);
    await expect(api.run(probe, ['call'])).rejects.toMatchObject({ facts: { status: 500, body: 'No cluster leader' } });
    await api.stop();
  });
});

describe('apiOptions', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lictor-options-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('reads flags before the environment, and our names before those of Consul', () => {
    const env = { CONSUL_HTTP_ADDR: 'a:1', LICTOR_HTTP_ADDR: 'b:2', CONSUL_HTTP_SSL: 'true', CONSUL_NAMESPACE: 'n' };
    expect(apiOptions({}, env)).toMatchObject({ address: 'https://b:2', namespace: 'n', verify: true });
    expect(apiOptions({ httpAddr: 'http://c:3/prefix/' }, env)).toMatchObject({ address: 'https://c:3/prefix' });
    // Whoever asks for TLS is not sent back to clear text by a scheme in the address.
    expect(apiOptions({ httpAddr: 'http://a:1/p/' }, { CONSUL_HTTP_SSL: '1' }).address).toBe('https://a:1/p');
    expect(apiOptions({ httpAddr: 'http://a:1' }, { CONSUL_HTTP_SSL: 'false' }).address).toBe('http://a:1');
    expect(apiOptions({ httpAddr: 'unix:///run/s' }, { CONSUL_HTTP_SSL_VERIFY: 'false' })).toMatchObject({
      address: 'unix:///run/s',
      verify: false,
    });
  });

  it('reads tokens and certificates from files', () => {
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const token = file('token', 'secret\n');
    expect(apiOptions({ tokenFile: token }, { CONSUL_HTTP_TOKEN: 'other' }).token).toBe('secret');
    expect(apiOptions({ tokenFile: token, token: 'other' }, {}).token).toBe('secret');
    expect(apiOptions({ token: 'mine' }, { CONSUL_HTTP_TOKEN_FILE: token }).token).toBe('mine');
    expect(apiOptions({}, { CONSUL_HTTP_TOKEN_FILE: token, CONSUL_HTTP_TOKEN: 'other' }).token).toBe('secret');
    expect(apiOptions({ caFile: token }, {}).ca).toEqual(['secret\n']);
    expect(apiOptions({ caPath: folder }, {}).ca).toEqual(['secret\n']);
  });

  it.each<[object, object, RegExp]>([
    [{ partition: 'p' }, {}, /partitions are not supported; use -namespace/],
    [{}, { CONSUL_PARTITION: 'p' }, /partitions are not supported/],
    [{ clientCert: '/none' }, {}, /-client-cert: cannot read \/none/],
    [{ tokenFile: '/none' }, {}, /-token-file: cannot read/],
    [{ httpAddr: 'a b' }, {}, /-http-addr .*"a b" is no address/],
    [{ httpAddr: 'ftp://a' }, {}, /is no address/],
  ])('refuses %j %j', (flags, env, message) => {
    expect(() => apiOptions(flags, env as Record<string, string>)).toThrow(message);
  });
});

describe('readValue', () => {
  const io = { input: 'from input' };
  it('takes a value itself, from a file or from standard input, within its limit', async () => {
    const read = (given: string, max?: number) =>
      new Promise<string>((resolve, reject) => {
        const reader = command({
          name: 'read',
          summary: '',
          program: (own) =>
            program('read', '', [], own).action(() =>
              readValue(given, own, max).then((bytes) => resolve(String(bytes)), reject),
            ),
        });
        void runForTest(reader, [], io);
      });
    expect(await read('x')).toBe('x');
    expect(await read('-')).toBe('from input');
    expect(await read(`@${import.meta.filename}`)).toContain('readValue');
    await expect(read('@/none')).rejects.toThrow(/cannot read \/none/);
    await expect(read('-', 3)).rejects.toThrow(/more than 3 bytes/);
  });
});
