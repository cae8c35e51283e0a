import { statSync } from 'node:fs';
import { join } from 'node:path';
import { beginWait } from '../api/blocking-query.ts';
import { RequestTimings } from '../api/http/request-timings.ts';
import type { Route, RouteResponse } from '../api/http/route.ts';
import { SystemClock } from '../core/clock.ts';
import { silentLogger } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { HttpConnection } from '../test/support/http-connection.ts';
import { removeFolder, tempFolder } from '../test/support/processes/temp-folder.ts';
import { started } from '../test/support/started.ts';
import { systemConfigFiles } from './config/system-files.ts';
import { parseAgentConfig } from './config.ts';
import { agentHttpListeners } from './http-listeners.ts';

let folder: string;
beforeEach(() => {
  folder = tempFolder('listeners');
});
afterEach(() => removeFolder(folder));

function listenersOf(hcl: string, { flags = ['-dev'], routes = [] }: { flags?: string[]; routes?: Route[] } = {}) {
  const { config } = parseAgentConfig([...flags, '-hcl', hcl], { ...systemConfigFiles, hostname: () => 'n1' });
  const clock = new SystemClock();
  const deps = { clock, log: silentLogger, metrics: new Metrics(), timings: new RequestTimings({ clock }) };
  return agentHttpListeners(config, { ...deps, files: systemConfigFiles }, routes);
}

describe('agentHttpListeners', () => {
  it('makes socket files with the owner and mode of unix_sockets', async () => {
    const path = join(folder, 'http.sock');
    const owner = `user = "${process.getuid!()}" group = "${process.getgid!()}" mode = "0640"`;
    const { http } = listenersOf(`addresses { http = "unix://${path}" } unix_sockets { ${owner} }`);
    const stop = new AbortController();
    let done = Promise.resolve();
    await new Promise<void>((ready, fail) => {
      done = http!.run({ signal: stop.signal, ready });
      done.catch(fail);
    });
    expect(statSync(path).mode & 0o777).toBe(0o640);
    stop.abort();
    await done;
  });

  it('has no HTTPS without a port or a certificate, and refuses what it cannot read', () => {
    expect(listenersOf('').https).toBeUndefined();
    expect(listenersOf('ports { https = 8501 }').https).toBeUndefined();
    const tls = `tls { https { cert_file = "${folder}/c.pem" key_file = "${folder}/k.pem" } }`;
    expect(listenersOf(tls).https).toBeUndefined();
    expect(() => listenersOf(`ports { https = 8501 } ${tls}`)).toThrow(
      /tls\.https\.cert_file: .*there is no such file/,
    );
    expect(() => listenersOf('unix_sockets { user = "no such one" }')).toThrow(/unix_sockets\.user: .*no user/);
  });

  it.each([
    ['-dev', ['-dev'], '{\n    "a": 1\n}\n'],
    ['-server', ['-server', '-data-dir=/d'], '{"a":1}'],
  ])('gives JSON line breaks that nobody asked for in dev mode alone: %s', async (_name, flags, expected) => {
    const answer: RouteResponse = {
      bytes: Buffer.from('{"a":1}'),
      headers: { 'content-type': 'application/json' },
      meta: { index: 7 },
      shared: true,
      again: () => answer,
    };
    const clock = new SystemClock();
    const routes: Route[] = [
      { method: 'GET', path: '/v1/kept', handle: () => answer },
      { method: 'GET', path: '/v1/made', handle: async () => ({ json: { a: 1 } }) },
      {
        method: 'GET',
        path: '/v1/held',
        handle: (request) =>
          request.hold({
            shared: true,
            mayJoin: () => true,
            begin: () => beginWait({ clock, random: { next: () => 0, uuid: () => '' } }, { index: 7, waitMs: 100 }),
            run: () => ({ index: 7, applied: 7, answer: () => answer }),
            watch: () => () => {},
          }),
      },
    ];
    const { http } = listenersOf('ports { http = 0 }', { flags, routes });
    const stop = await started(http!);
    const [one, other] = [1, 2].map(() => new HttpConnection(http!.address().port));
    const ask = async (connection: HttpConnection, path: string) => {
      connection.ask(path);
      return (await connection.answer()).body;
    };
    for (let time = 0; time < 4; time++) expect(await ask(one!, '/v1/kept')).toBe(expected);
    expect(await ask(one!, '/v1/made')).toBe(expected);
    expect(await ask(one!, '/v1/made?pretty')).toBe('{\n    "a": 1\n}\n');
    expect(await Promise.all([one!, other!].map((each) => ask(each, '/v1/held')))).toEqual([expected, expected]);
    for (const connection of [one!, other!]) connection.socket.destroy();
    await stop();
  });
});
