import { Readable, Writable } from 'node:stream';
import { createHttpServer } from '../../api/http/server.ts';
import type { Command } from '../../cli/command.ts';
import { CommandExit } from '../../cli/command.ts';
import { kvCommand } from '../../cli/kv.ts';
import { sessionCommand } from '../../cli/session.ts';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { RunningServer } from '../support/running-server.ts';

describe('the commands for keys and sessions, against a server', () => {
  let server: RunningServer;
  let address = '';
  const stop = new AbortController();
  let served: Promise<void>;
  beforeAll(async () => {
    server = await RunningServer.start();
    await server.register({ Node: 'n1', Address: '10.0.0.1' });
    const deps = { clock: new SystemClock(), log: silentLogger, metrics: new Metrics() };
    const http = createHttpServer(deps, { routes: server.composed.routes, host: '127.0.0.1', port: 0 });
    await new Promise<void>((ready) => {
      served = http.run({ signal: stop.signal, ready });
    });
    address = `127.0.0.1:${http.address().port}`;
  });
  afterAll(async () => {
    stop.abort();
    await served;
    await server.stop();
  });

  async function run(target: Command, argv: string[], stdin = ''): Promise<{ code: number; out: string; err: string }> {
    let out = '';
    let err = '';
    const sink = (add: (text: string) => void) =>
      new Writable({
        write(chunk, _encoding, done) {
          add(String(chunk));
          done();
        },
      });
    const stdout = sink((text) => {
      out += text;
    });
    const stderr = sink((text) => {
      err += text;
    });
    const env = { CONSUL_HTTP_ADDR: address };
    const { signal } = new AbortController();
    try {
      const code = await target.run(argv, { stdout, stderr, stdin: Readable.from([stdin]), env, signal });
      return { code, out, err };
    } catch (error) {
      if (error instanceof CommandExit) return { code: error.exitCode, out, err: error.message };
      throw error;
    }
  }
  const kv = (...argv: string[]) => run(kvCommand, argv);
  const ok = (out: string) => ({ code: 0, out, err: '' });
  const failed = (err: string) => ({ code: 1, out: '', err: `${err}\n` });

  it('put, get and delete a key', async () => {
    expect(await kv('put', 'app/color', 'blue')).toEqual(ok('Success! Data written to: app/color\n'));
    expect(await kv('get', '/app/color')).toEqual(ok('blue\n'));
    expect(await kv('get', '-base64', 'app/color')).toEqual(ok('Ymx1ZQ==\n'));
    expect(await kv('get', 'app/none')).toEqual(failed('Error! No key exists at: app/none'));
    expect((await kv('get')).err).toBe(
      "Error! Missing KEY argument; give a key, or -recurse or -keys for all (see 'lictor kv get --help')\n",
    );
    for (const folder of ['app', 'app/']) {
      const hint =
        "there are keys below it: 'lictor kv get -recurse app/' shows them and their values, -keys their names";
      expect(await kv('get', folder)).toEqual(failed(`Error! No key exists at: ${folder}; ${hint}`));
    }
    expect(await kv('delete', 'app/color')).toEqual(ok('Success! Deleted key: app/color\n'));
    expect(await kv('delete')).toEqual(
      failed("Error! Missing KEY argument; give a key, or -recurse for all (see 'lictor kv delete --help')"),
    );
  });

  it('show everything of a key, large flags to the last digit', async () => {
    await kv('put', '-flags=18446744073709551615', 'big', 'v');
    const { out } = await kv('get', '-detailed', 'big');
    expect(out).toMatch(
      /^CreateIndex {6}\d+\nFlags {12}18446744073709551615\nKey {14}big\nLockIndex {8}0\nModifyIndex {6}\d+\nSession {10}-\nValue {12}v\n$/,
    );
    const shown = await kv('get', '-format=json', 'big');
    expect(shown.out).toContain('"Flags": 18446744073709551615,');
    expect((await kv('get', '-format=json', '-recurse', 'bi')).out).toContain('"Flags": 18446744073709551615,');
    await kv('put', '-flags=7', 'small', 'v');
    expect(JSON.parse((await kv('get', '-format=json', 'small')).out)).toMatchObject({ Key: 'small', Flags: 7 });
    await kv('delete', 'small');
    const pretty = await (await fetch(`http://${address}/v1/kv/big?pretty`)).text();
    expect(pretty).toContain('"Flags": 18446744073709551615');
    await kv('delete', 'big');
  });

  it('list keys and values below a prefix', async () => {
    for (const key of ['l/a', 'l/b/c', 'l/b/d']) await kv('put', key, key.toUpperCase());
    expect(await kv('get', '-recurse', 'l/')).toEqual(ok('l/a:L/A\nl/b/c:L/B/C\nl/b/d:L/B/D\n'));
    expect(await kv('get', '-keys', 'l/')).toEqual(ok('l/a\nl/b/\n'));
    expect(await kv('get', '-keys', '-separator=', 'l/')).toEqual(ok('l/a\nl/b/c\nl/b/d\n'));
    expect(await kv('delete', '-recurse', 'l/')).toEqual(ok('Success! Deleted keys with prefix: l/\n'));
    expect(await kv('get', '-recurse', 'l/')).toEqual(ok(''));
  });

  it('refuse a key that HTTP would take for another one, and touch none', async () => {
    await kv('put', 'a/wk', '1');
    await kv('put', 'wk', '2');
    const wrong = (key: string, what: string) => `the key "${key}" has ${what}; servers would take it for another one`;
    await expect(kv('delete', '-recurse', 'zz/..')).rejects.toThrow(wrong('zz/..', 'a part ".."'));
    await expect(kv('get', 'a/./wk')).rejects.toThrow(wrong('a/./wk', 'a part "."'));
    await expect(kv('put', 'a//wk', 'v')).rejects.toThrow(wrong('a//wk', 'two slashes in a row'));
    await expect(kv('get', '-recurse', 'a//')).rejects.toThrow(wrong('a//', 'two slashes in a row'));
    expect(await kv('get', '-recurse')).toEqual(ok('a/wk:1\nwk:2\n'));
    await kv('put', 'a/%2e%2e/..x', '3');
    expect(await kv('get', '/a/%2e%2e/..x')).toEqual(ok('3\n'));
    await kv('delete', '-recurse');
  });

  it('check before they set or delete', async () => {
    expect(JSON.parse((await kv('put', '-format=json', 'j/a', '1')).out)).toEqual({ Written: 'j/a' });
    const imported = ['import', '-format=json', '-prefix=j/', '[{"key":"b","value":"eA=="}]'];
    expect(JSON.parse((await kv(...imported)).out)).toEqual({ Imported: ['j/b'] });
    expect(JSON.parse((await kv('delete', '-format=json', 'j/a')).out)).toEqual({ Deleted: 'j/a' });
    expect(JSON.parse((await kv('delete', '-format=json', '-recurse', 'j/')).out)).toEqual({ DeletedPrefix: 'j/' });
    expect(await kv('put', '-cas', 'c', '1')).toEqual(ok('Success! Data written to: c\n'));
    expect(await kv('put', '-cas', '-modify-index=1', 'c', '2')).toEqual(
      failed('Error! Did not write to c: CAS failed'),
    );
    expect(await kv('delete', '-cas', 'c')).toEqual(failed('Must specify -modify-index with -cas!'));
    expect(await kv('delete', '-cas', '-modify-index=1', 'c')).toEqual(
      failed('Error! Did not delete key c: CAS failed'),
    );
  });

  it('create sessions, lock keys with them, and end them', async () => {
    await server.register({ Node: 'n1', Address: '10.0.0.1', Check: { CheckID: 'up', Name: 'up', Status: 'passing' } });
    const create = ['create', '-node=n1', '-node-check=up', '-name=x', '-ttl=30s', '-lock-delay=0s'];
    const id = (await run(sessionCommand, create)).out.trim();
    expect(await kv('put', '-acquire', 'lead', 'me')).toEqual(
      failed('Error! Missing -session (required with -acquire and -release)'),
    );
    expect(await kv('put', '-acquire', `-session=${id}`, 'lead', 'me')).toEqual(
      ok('Success! Lock acquired on: lead\n'),
    );
    expect(await kv('put', '-release', `-session=${id}`, 'lead')).toEqual(ok('Success! Lock released on: lead\n'));
    expect((await run(sessionCommand, ['list', '-node', 'n1'])).out).toBe(
      `ID${' '.repeat(36)}Name  Node  TTL  LockDelay  Behavior  Checks\n${id}  x     n1    30s  0s         release   up\n`,
    );
    expect(await run(sessionCommand, ['renew', id])).toEqual(ok(`Success! Renewed session: ${id}\n`));
    expect(await run(sessionCommand, ['destroy', id])).toEqual(ok(`Success! Destroyed session: ${id}\n`));
    expect(await run(sessionCommand, ['renew', id])).toEqual(failed(`Error! No session exists with the id: ${id}`));
    expect(await run(sessionCommand, ['info', id])).toEqual(failed(`Error! No session exists with the id: ${id}`));
  });

  it('export what they can import again', async () => {
    await kv('put', '-flags=7', 'e/a', 'one');
    await kv('put', '-base64', 'e/b', 'AAEC');
    const { out } = await kv('export', 'e/');
    expect(JSON.parse(out)).toEqual([
      { key: 'e/a', flags: 7, value: 'b25l' },
      { key: 'e/b', flags: 0, value: 'AAEC' },
    ]);
    await kv('delete', '-recurse', 'e/');
    expect(await run(kvCommand, ['import', '-'], out)).toEqual(ok('Imported: e/a\nImported: e/b\n'));
    expect((await kv('export', 'e/')).out).toBe(out);
    await expect(kv('import', '[{"value": ""}]')).rejects.toThrow('[0].key');
  });

  it('import keys that no path can name, which transactions may have written', async () => {
    await kv('delete', '-recurse');
    const keys = ['/p', 'p', 'p/../a', 'p//a', 'p/a', 'p/b/'];
    const entries = keys.map((key) => ({ key, value: Buffer.from(`of ${key}`).toString('base64') }));
    const data = JSON.stringify(entries).replace('{"key":"p//a"', '{"key":"p//a","flags":18446744073709551615');
    const imported = ok(keys.map((key) => `Imported: ${key}\n`).join(''));
    expect(await kv('import', data)).toEqual(imported);
    const { out } = await kv('export');
    expect(out).toContain('"flags": 18446744073709551615');
    expect(JSON.parse(out)).toMatchObject(entries);
    await kv('delete', '-recurse');
    expect(await run(kvCommand, ['import', '-'], out)).toEqual(imported);
    expect((await kv('export')).out).toBe(out);
    await kv('delete', '-recurse');
  });

  it('import nothing where one of the entries cannot be', async () => {
    await kv('delete', '-recurse');
    for (const wrong of [
      '{"key":""}',
      '{"key":"\\ud800"}',
      '{"key":"b","flags":-1}',
      '{"key":"b","value":1}',
      '{"key":"b","value":"%"}',
    ]) {
      await expect(kv('import', `[{"key":"w","value":""},${wrong}]`)).rejects.toThrow(/^\[1\]\./);
    }
    expect(await kv('export')).toEqual(ok('[]\n'));
  });
});
