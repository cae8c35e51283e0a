import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../test/support/require-real.ts';
import type { Figure } from './run.ts';

/**
 * DNS answers in a second of one server process on core 0, asked over loopback from the other core, for 5,000 names of
 * three instances each; beside it a bare UDP echo of the same runtime, in the same run, as the limit. The answers are
 * built anew for every question. The load comes from dnsperf where it is installed, else from a small client of ours,
 * which is slower than dnsperf and so flatters the ratio.
 */
const SHORT = process.argv.includes('--short');
const SECONDS = SHORT ? 2 : 8;
const SERVICES = 5_000;
const HERE = dirname(fileURLToPath(import.meta.url));
const TASKSET = findProgram('taskset');
const DNSPERF = findProgram('dnsperf');

interface Measured {
  perSecond: number;
  cpuSecondsPer1000: number;
}

/** Starts a program of this folder, or another one, bound to one core where that is possible. */
function start(core: number, command: string, args: string[]): ChildProcess {
  const words = TASKSET ? [TASKSET, '-c', String(core), command, ...args] : [command, ...args];
  return spawn(words[0]!, words.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
}

function node(core: number, file: string, ...args: string[]): ChildProcess {
  return start(core, process.execPath, ['--disable-warning=ExperimentalWarning', join(HERE, file), ...args]);
}

function nextLine(lines: Interface): Promise<string> {
  return new Promise((resolve, reject) => {
    lines.once('line', resolve);
    lines.once('close', () => reject(new Error('the process ended without a line')));
  });
}

async function measure(mode: 'echo' | 'dns', type: string): Promise<Measured> {
  const server = node(0, 'dns-rate-server.ts', mode, String(SERVICES));
  const lines = createInterface({ input: server.stdout! });
  try {
    const port = await nextLine(lines);
    await load(port, type, SHORT ? 1 : 2); // warm up: compile, fill caches
    const cpu = async () => {
      server.stdin!.write('\n');
      return Number(await nextLine(lines)) / 1e6;
    };
    const before = await cpu();
    const perSecond = await load(port, type, SECONDS);
    return { perSecond, cpuSecondsPer1000: ((await cpu()) - before) / ((perSecond * SECONDS) / 1000) };
  } finally {
    server.stdin!.end();
    server.kill();
  }
}

async function load(port: string, type: string, seconds: number): Promise<number> {
  if (!DNSPERF) {
    const child = node(1, 'dns-rate-load.ts', port, String(seconds), type, String(SERVICES));
    return Number(await nextLine(createInterface({ input: child.stdout! })));
  }
  const folder = mkdtempSync(join(tmpdir(), 'dns-rate-'));
  try {
    const file = join(folder, 'questions');
    writeFileSync(file, Array.from({ length: SERVICES }, (_, i) => `svc-${i}.service.consul ${type}\n`).join(''));
    const args = ['-s', '127.0.0.1', '-p', port, '-d', file, '-l', String(seconds), '-c', '8', '-q', '200', '-t', '1'];
    const child = start(1, DNSPERF, args);
    let perSecond = Number.NaN;
    for await (const line of createInterface({ input: child.stdout! })) {
      const found = /Queries per second:\s+([\d.]+)/.exec(line);
      if (found) perSecond = Number(found[1]);
    }
    return perSecond;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function print(figure: Figure): void {
  console.log(JSON.stringify({ ...figure, ok: true }));
}

console.log(`load: ${DNSPERF ? 'dnsperf' : 'dns-rate-load.ts'}${TASKSET ? '' : ', not pinned (no taskset)'}`);
const echo = await measure('echo', 'A');
print({ name: 'dns bare UDP echo', value: echo.perSecond, unit: 'packets/s', bar: null });
for (const type of ['A', 'SRV']) {
  const dns = await measure('dns', type);
  print({ name: `dns ${type} answers`, value: dns.perSecond, unit: 'answers/s', bar: null });
  print({ name: `dns ${type} answers to bare echo`, value: dns.perSecond / echo.perSecond, unit: 'ratio', bar: null });
  print({ name: `dns ${type} CPU`, value: dns.cpuSecondsPer1000, unit: 's/1000 answers', bar: null });
}
