import { type ChildProcess, spawn } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../test/support/processes/free-port.ts';
import { median as medianOf } from './measure.ts';
import type { Figure } from './run.ts';

/**
 * `lictor dev` as a user starts it: from the start of the process to the first right DNS answer, its memory when it has
 * settled, and the processor time that it takes while nothing happens (three instances checked each second).
 */
const SHORT = process.argv.includes('--short');
const IDLE_SECONDS = SHORT ? 10 : 60;
const ROUNDS = SHORT ? 3 : 7;
const BIN = join(import.meta.dirname, '../bin/lictor');

interface Run {
  child: ChildProcess;
  firstAnswerMs: number;
}

async function start(folder: string, dataDir: string, env: NodeJS.ProcessEnv = process.env): Promise<Run> {
  const [http, dns] = [await freePort(), await freePort()];
  const resolver = new Resolver({ timeout: 200, tries: 1 });
  resolver.setServers([`127.0.0.1:${dns}`]);
  const args = ['dev', '-f', folder, '-data-dir', dataDir, '-http-port', String(http), '-dns-port', String(dns)];
  const began = performance.now();
  const child = spawn(BIN, args, { stdio: ['ignore', 'ignore', 'inherit'], env });
  for (;;) {
    const records = await resolver.resolveSrv('web.service.consul').catch(() => []);
    if (records.length === 3) return { child, firstAnswerMs: performance.now() - began };
    if (child.exitCode !== null || performance.now() - began > 30_000) throw new Error('lictor dev did not answer');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const median = (list: number[]): number => medianOf(list, (one) => one);

async function stop(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

function rssMb(pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1];
  return (Number(kb) * 1024) / 1e6;
}

/** Processor time of a process so far, in seconds (fields 14 and 15 of proc(5) stat, in ticks of 10 ms). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function main(): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'lictor-bench-dev-'));
  const bin = ['demo', 'instance'];
  const instances: ChildProcess[] = [];
  try {
    const ports = [await freePort(), await freePort(), await freePort()];
    for (const [at, port] of ports.entries()) {
      const child = spawn(BIN, [...bin, `web-${at + 1}`, '--port', String(port)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      instances.push(child);
      await once(child.stdout!, 'data');
    }
    const list = ports.map((port, at) => `{id: web-${at + 1}, address: 127.0.0.1, port: ${port}}`).join(', ');
    const head = (kind: string) => `apiVersion: lictor.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: web}\n`;
    writeFileSync(
      join(scratch, 'web.yaml'),
      `${head('Service')}spec: {instances: [${list}]}\n---\n${head('HealthCheck')}spec: {serviceRef: {name: web}, http: {path: /healthz}, interval: 1s, timeout: 500ms}\n`,
    );
    const firsts: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const run = await start(join(scratch, 'web.yaml'), mkdtempSync(join(scratch, 'data-')));
      // The first start fills the compile cache.
      if (round > 0) firsts.push(run.firstAnswerMs);
      await stop(run.child);
    }
    const colds: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const env = { ...process.env, NODE_COMPILE_CACHE: mkdtempSync(join(scratch, 'compile-')) };
      const run = await start(join(scratch, 'web.yaml'), mkdtempSync(join(scratch, 'data-')), env);
      colds.push(run.firstAnswerMs);
      await stop(run.child);
    }
    const { child } = await start(join(scratch, 'web.yaml'), mkdtempSync(join(scratch, 'data-')));
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const before = cpuSeconds(child.pid!);
    await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1_000));
    const idle = ((cpuSeconds(child.pid!) - before) / IDLE_SECONDS) * 100;
    const rss = rssMb(child.pid!);
    await stop(child);
    const figures: Figure[] = [
      {
        name: 'dev: start to the first right DNS answer',
        value: median(firsts),
        unit: 'ms',
        bar: 2_000,
        better: 'lower',
      },
      {
        name: 'dev: start to the first right DNS answer, nothing compiled before',
        value: median(colds),
        unit: 'ms',
        bar: 2_000,
        better: 'lower',
      },
      { name: 'dev: memory (RSS)', value: rss, unit: 'MB', bar: 120, better: 'lower' },
      { name: 'dev: processor while idle', value: idle, unit: '%', bar: 1, better: 'lower' },
    ];
    for (const figure of figures) console.log(JSON.stringify(figure));
  } finally {
    for (const child of instances) child.kill();
    rmSync(scratch, { recursive: true, force: true });
  }
}

await main();
