import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { createHttpServer } from './server.ts';
import { removeDeadSocket } from './unix-socket.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lictor-socket-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function serve(path: string) {
  const controller = new AbortController();
  const deps = { clock: new SystemClock(), log: silentLogger, metrics: new Metrics() };
  const routes = [{ method: 'GET' as const, path: '/v1/x', handle: () => ({ text: 'yes' }) }];
  const server = createHttpServer(deps, { routes, host: `unix://${path}`, port: 8500 });
  let done = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    done = server.run({ signal: controller.signal, ready: resolve });
    done.catch(reject);
  });
  return async () => {
    controller.abort();
    await done;
  };
}

describe('an HTTP server on a unix socket', () => {
  it('answers there, frees the path, and refuses one that is taken', async () => {
    const path = join(folder, 'http.sock');
    const stop = await serve(path);
    const dispatcher = new Agent({ connect: { socketPath: path } });
    const answer = await request('http://localhost/v1/x', { dispatcher });
    expect(await answer.body.text()).toBe('yes');
    await dispatcher.close();
    await expect(serve(path)).rejects.toThrow(`${path} is already in use`);
    await stop();
    await (await serve(path))();
  });

  it('leaves files that are no sockets alone', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, 'precious');
    await removeDeadSocket(path);
    await expect(serve(path)).rejects.toThrow(/in use/);
    const alive = createServer().listen(join(folder, 's'));
    await new Promise((resolve) => alive.once('listening', resolve));
    await removeDeadSocket(join(folder, 's'));
    await expect(serve(join(folder, 's'))).rejects.toThrow(/in use/);
    await new Promise((resolve) => alive.close(resolve));
  });
});
