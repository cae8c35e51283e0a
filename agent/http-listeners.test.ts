import { statSync } from 'node:fs';
import { join } from 'node:path';
import { RequestTimings } from '../api/http/request-timings.ts';
import { SystemClock } from '../core/clock.ts';
import { silentLogger } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { removeFolder, tempFolder } from '../test/support/processes/temp-folder.ts';
import { systemConfigFiles } from './config/system-files.ts';
import { parseAgentConfig } from './config.ts';
import { agentHttpListeners } from './http-listeners.ts';

let folder: string;
beforeEach(() => {
  folder = tempFolder('listeners');
});
afterEach(() => removeFolder(folder));

function listenersOf(hcl: string) {
  const { config } = parseAgentConfig(['-dev', '-hcl', hcl], { ...systemConfigFiles, hostname: () => 'n1' });
  const clock = new SystemClock();
  const deps = { clock, log: silentLogger, metrics: new Metrics(), timings: new RequestTimings({ clock }) };
  return agentHttpListeners(config, { ...deps, files: systemConfigFiles }, []);
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
});
