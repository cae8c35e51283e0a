import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { createHttpServer } from './server.ts';
import { listenPrivately, removeDeadSocket, type SocketFileOptions } from './unix-socket.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lictor-socket-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function serve(path: string, socketFile?: SocketFileOptions) {
  const controller = new AbortController();
  const deps = { clock: new SystemClock(), log: silentLogger, metrics: new Metrics() };
  const routes = [{ method: 'GET' as const, path: '/v1/x', handle: () => ({ text: 'yes' }) }];
  const server = createHttpServer(deps, { routes, host: `unix://${path}`, port: 8500, socketFile });
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

  it('gives its file the mode and owner that it is told', async () => {
    const path = join(folder, 'http.sock');
    const own = { uid: process.getuid!(), gid: process.getgid!(), mode: 0o640 };
    const stop = await serve(path, own);
    const { mode, uid, gid } = statSync(path);
    expect({ mode: mode & 0o777, uid, gid }).toEqual({ mode: 0o640, uid: own.uid, gid: own.gid });
    await stop();
  });

  it('makes a file that nobody else can use before it gets its mode', () => {
    const before = process.umask(0);
    try {
      const server = createServer();
      listenPrivately(server);
      const path = join(folder, 'private');
      server.listen(path);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      server.close();
    } finally {
      expect(process.umask(before)).toBe(0);
    }
  });

  (process.getuid!() === 0 ? it.skip : it)('says so when it may not give its file away', async () => {
    const file = { uid: 0, gid: undefined, mode: undefined };
    await expect(serve(join(folder, 'http.sock'), file)).rejects.toThrow(/unix_sockets: .* run the agent as root/);
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
