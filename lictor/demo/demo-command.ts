import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandExit, type CommandIo } from '../../cli/command.ts';
import { command, program, subProgram } from '../../cli/program.ts';
import { SystemClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { portOf } from '../dev/dev-command.ts';
import type { DevProcess } from '../dev/dev-process.ts';
import { runDev } from '../dev/run-dev.ts';
import { runInstance } from './instance.ts';
import { DemoInstances } from './instances.ts';
import { copyDemoFolder, runTour } from './tour.ts';

/** The ports that examples/demo/web.yaml names. */
const DEMO_PORTS = [9101, 9102, 9103];

/** `lictor demo`: three real services and `lictor dev` over examples/demo/; `--once` is the unattended tour. */
export const demoCommand = command({
  name: 'demo',
  summary: 'Three services, health checks and live DNS on this machine',
  program(io) {
    const target = program(
      'lictor demo',
      'Starts three real HTTP services and runs lictor dev over examples/demo/. Ctrl-C ends everything.',
      ['lictor demo', 'lictor demo --once', 'lictor demo instance web-2 --port 9102'],
      io,
    )
      .option('--once', 'go through the tour by itself and exit 0 only if every step was seen to happen')
      .option('--http-port <port>', 'port of the HTTP API', '8500')
      .option('--dns-port <port>', 'port of DNS (UDP and TCP)', '8600')
      .action(async (flags: { once?: boolean; httpPort: string; dnsPort: string }) => {
        const ports = { http: portOf('-http-port', flags.httpPort), dns: portOf('-dns-port', flags.dnsPort) };
        const code = flags.once ? await tour(io) : await live(io, ports);
        if (code !== 0) throw new CommandExit(code);
      });
    subProgram(
      target,
      'instance',
      'Run one of the demo’s services in the foreground',
      ['lictor demo instance web-2 --port 9102'],
      io,
    )
      .argument('<name>', 'its name, e.g. web-2')
      .requiredOption('--port <port>', 'where it listens on 127.0.0.1', Number)
      .option('--until-stdin-ends', 'end when standard input does')
      .action((name: string, flags: { port: number; untilStdinEnds?: boolean }) => instance(name, flags, io));
    return target;
  },
});

async function instance(name: string, flags: { port: number; untilStdinEnds?: boolean }, io: CommandIo): Promise<void> {
  if (!Number.isInteger(flags.port) || flags.port < 1 || flags.port > 65_535) {
    throw new AppError('config', '--port: give a number from 1 to 65535');
  }
  const stop = new AbortController();
  io.signal.addEventListener('abort', () => stop.abort(), { once: true });
  if (flags.untilStdinEnds) {
    process.stdin.resume().once('end', () => stop.abort());
    // An input that is read keeps the process alive.
    stop.signal.addEventListener('abort', () => process.stdin.destroy(), { once: true });
  }
  const onListening = () => io.stdout.write(`${name} listens on 127.0.0.1:${flags.port}\n`);
  const options = { name, pid: process.pid, host: '127.0.0.1', port: flags.port, onListening };
  await runInstance(options, stop.signal).finally(() => stop.abort());
}

/** Started as this very program was: the same runtime, flags and entry. */
function instanceCommand(): string[] {
  return [process.execPath, ...process.execArgv, process.argv[1]!, 'demo', 'instance'];
}

function demoFolder(): string {
  // Beside the sources in a checkout, copied beside the emitted JavaScript in a tarball: the same distance.
  return fileURLToPath(new URL('../../examples/demo', import.meta.url));
}

async function live(io: CommandIo, ports: { http: number; dns: number }): Promise<number> {
  const instances = new DemoInstances({ clock: new SystemClock() }, { ports: DEMO_PORTS, command: instanceCommand() });
  try {
    await instances.startAll();
    await runDev(
      {
        folder: demoFolder(),
        ports,
        dataDir: 'temporary',
        title: 'Lictor demo: three real services, checked each second',
        extraLines: () =>
          instances.ports.map((port, at) => {
            const pid = instances.pid(at);
            const name = instances.name(at);
            return pid === undefined
              ? `bin/lictor demo instance ${name} --port ${port}    # start ${name} again`
              : `kill ${pid}    # end ${name}`;
          }),
      },
      io,
    );
    return 0;
  } finally {
    await instances.stopAll();
  }
}

async function tour(io: CommandIo): Promise<number> {
  const clock = new SystemClock();
  const ports = await freePorts(DEMO_PORTS.length);
  const scratch = mkdtempSync(join(tmpdir(), 'lictor-demo-'));
  const folder = join(scratch, 'manifests');
  const instances = new DemoInstances({ clock }, { ports, command: instanceCommand() });
  const print = (line: string) => void io.stdout.write(`${line}\n`);
  const stop = new AbortController();
  io.signal.addEventListener('abort', () => stop.abort(), { once: true });
  let seen = false;
  try {
    copyDemoFolder(demoFolder(), folder, new Map(DEMO_PORTS.map((port, at) => [port, ports[at]!])));
    await instances.startAll();
    print('The tour, through real DNS and HTTP clients:');
    const onReady = async (dev: DevProcess) => {
      try {
        await runTour(
          { clock, print },
          { dns: dev.dnsAddress(), http: dev.httpAddress(), instances, serviceManifest: join(folder, 'web.yaml') },
          stop.signal,
        );
        seen = true;
      } finally {
        stop.abort();
      }
    };
    await runDev(
      { folder, quiet: true, ports: { http: 0, dns: 0 }, dataDir: 'temporary', onReady },
      { ...io, signal: stop.signal },
    );
  } finally {
    await instances.stopAll();
    rmSync(scratch, { recursive: true, force: true });
  }
  print(seen ? 'every step was seen to happen' : 'the tour did not end');
  return seen ? 0 : 1;
}

/** Ports that nothing listens on; sorted, so that instance n has the n-th. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports.sort((a, b) => a - b);
}
