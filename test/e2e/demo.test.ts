import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ROOT } from '../arch/sources.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/processes/free-port.ts';

const BIN = join(ROOT, 'bin/lictor');
const PATIENCE = { withinMs: 20_000 };

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

describe('the demo', () => {
  let demo: ChildProcess | undefined;
  afterEach(() => demo?.kill('SIGKILL'));

  async function start(): Promise<{ out: () => string; ports: number[] }> {
    const ports = [await freePort(), await freePort()];
    // A process group of its own, as a terminal gives it.
    demo = spawn(BIN, ['demo', '-http-port', String(ports[0]), '-dns-port', String(ports[1])], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let out = '';
    for (const stream of [demo.stdout!, demo.stderr!]) {
      stream.on('data', (chunk) => {
        out += String(chunk);
      });
    }
    const shown = (): string => {
      if (demo?.exitCode !== null) throw new Error(`the demo has ended: ${out}`);
      return out;
    };
    return { out: shown, ports: [...ports, 9101, 9102, 9103] };
  }

  const pids = (out: string) => [...out.matchAll(/kill (\d+) {4}# end web-\d/g)].map((match) => Number(match[1]));

  it('shows an instance that is killed, and how to start it again; Ctrl-C leaves no process and no port', async () => {
    const { out, ports } = await start();
    await eventually(() => out().includes('web  3/3 answered'), { ...PATIENCE, what: 'three instances are shown' });
    const started = [...new Set(pids(out()))];
    expect(started).toHaveLength(3);
    process.kill(started[1]!, 'SIGKILL');
    const line = /web {2}2\/3 answered[^!]*bin\/lictor (demo instance web-2 --port 9102)/;
    await eventually(() => line.test(out()), { ...PATIENCE, what: 'the killed one is shown' });
    const again = line.exec(out())![1]!;
    const restarted = spawn(BIN, again.split(' '), { stdio: 'ignore' });
    try {
      const before = out().length;
      await eventually(() => out().slice(before).includes('web  3/3 answered'), { ...PATIENCE, what: 'it is back' });
    } finally {
      restarted.kill('SIGKILL');
      await once(restarted, 'exit');
    }
    const ended = once(demo!, 'exit');
    // Ctrl-C reaches the instances too, at the same moment.
    process.kill(-demo!.pid!, 'SIGINT');
    expect((await ended)[0]).toBe(0);
    expect(started.filter(alive)).toEqual([]);
    expect(await Promise.all(ports.map(listens))).toEqual(ports.map(() => false));
  }, 90_000);

  it('says at once which process has a port of an instance', async () => {
    const port = String(await freePort());
    const first = spawn(BIN, ['demo', 'instance', 'web-1', '--port', port], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      await once(first.stdout!, 'data');
      // Its input stays open, as that of a demo's instance does.
      const argv = ['demo', 'instance', 'web-1', '--port', port, '--until-stdin-ends'];
      const second = spawn(BIN, argv, { timeout: 10_000, killSignal: 'SIGKILL' });
      let said = '';
      second.stderr.on('data', (chunk) => {
        said += String(chunk);
      });
      expect((await once(second, 'exit'))[0]).toBe(1);
      expect(said).toMatch(
        /^lictor demo: port \d+ is taken by web-1 of another demo \(process \d+\): end .* 'kill \d+'\n$/,
      );
    } finally {
      first.kill('SIGKILL');
    }
  }, 20_000);

  it('leaves no instance behind even when it is killed', async () => {
    const { out } = await start();
    await eventually(() => pids(out()).length >= 3, { ...PATIENCE, what: 'three instances are shown' });
    const started = pids(out()).slice(0, 3);
    demo!.kill('SIGKILL');
    await eventually(() => started.every((pid) => !alive(pid)), { ...PATIENCE, what: 'the instances end too' });
  }, 60_000);
});
