import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { findProgram } from '../test/support/require-real.ts';

/** What a load found: answers a second, and how long the slowest hundredth took. */
export interface Load {
  readonly perSecond: number;
  readonly p99Ms: number;
}

/**
 * GETs by `wrk` on core 1 over 64 connections for some seconds; `{n}` in the path is a new number below `names` each time.
 * @throws Error that says what to install without wrk, or when an answer was not 200.
 */
export function wrk(port: number, path: string, names: number, seconds: number): Promise<Load> {
  const [before, after = ''] = path.split('{n}');
  return runWrk(port, { connections: 64, seconds, pinned: true }, [
    `request = function() return wrk.format("GET", "${before}" .. math.random(0, ${names - 1}) .. "${after}") end`,
  ]);
}

/** Registrations of new instances. */
export interface RegistrationLoad {
  readonly connections: number;
  readonly seconds: number;
  /** Part of the ids of the instances: another one for each load of a catalog. */
  readonly tag: string;
  /** Whether to run on core 1 alone; yes when not given. */
  readonly pinned?: boolean;
}

/**
 * Registrations by `wrk`, each of a new instance with a check: of 5,000 services on 500 nodes. They leave the
 * load generator's core time to spare, which a client written in JavaScript does not.
 * @throws Error like `wrk`.
 */
export function wrkRegistrations(port: number, { tag, pinned = true, ...load }: RegistrationLoad): Promise<Load> {
  const body = [
    '{"Node":"load-node-%d","Address":"10.0.0.1","SkipNodeUpdate":%s,',
    '"Service":{"ID":"%s","Service":"load-%d","Port":8080,"Tags":["v1"]},',
    '"Check":{"CheckID":"c-%s","Name":"alive","Status":"passing","ServiceID":"%s"}}',
  ].join('');
  return runWrk(port, { ...load, pinned }, [
    'local n = -1',
    'request = function()',
    '  n = n + 1',
    `  local id = string.format("load-${tag}-%d-%d", n % 5000, math.floor(n / 5000))`,
    `  local body = string.format('${body}', n % 500, tostring(n >= 500), id, n % 5000, id, id)`,
    '  return wrk.format("PUT", "/v1/catalog/register", nil, body)',
    'end',
  ]);
}

async function runWrk(
  port: number,
  { connections, seconds, pinned }: { connections: number; seconds: number; pinned: boolean },
  requests: readonly string[],
): Promise<Load> {
  const program = findProgram('wrk');
  if (!program) throw new Error('wrk is missing: apt-get install wrk');
  const script = [
    ...requests,
    'function response(status) if status ~= 200 then error("status " .. status) end end',
    'done = function(summary, latency) io.write(string.format("p99us %d\\n", latency:percentile(99))) end',
  ].join('\n');
  const taskset = pinned ? findProgram('taskset') : undefined;
  const folder = mkdtempSync(join(tmpdir(), 'wrk-'));
  const file = join(folder, 'script.lua');
  writeFileSync(file, script);
  const url = `http://127.0.0.1:${port}/`;
  const words = [program, '-t1', `-c${connections}`, `-d${seconds}s`, '-s', file, url];
  if (taskset) words.unshift(taskset, '-c', '1');
  const child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await new Promise((resolve) => child.once('close', resolve));
  rmSync(folder, { recursive: true });
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]);
  const p99Ms = Number(/p99us (\d+)/.exec(output)?.[1]) / 1000;
  if (!perSecond || Number.isNaN(p99Ms) || /Non-2xx|Socket errors/.test(output)) throw new Error(`wrk: ${output}`);
  return { perSecond, p99Ms };
}

/** One request; the answer's index and length. @throws Error for any status but 200. */
export async function call(
  pool: Pool,
  path: string,
  body?: unknown,
): Promise<{ index: string; text: () => string; bytes: number }> {
  const answer = await pool.request({
    path,
    method: body === undefined ? 'GET' : 'PUT',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    headersTimeout: 60_000,
  });
  const content = Buffer.from(await answer.body.arrayBuffer());
  if (answer.statusCode !== 200) throw new Error(`${path}: status ${answer.statusCode} ${content.toString()}`);
  return { index: String(answer.headers['x-consul-index']), text: () => content.toString(), bytes: content.length };
}

/** Runs `one` by `clients` clients until `more` says stop. */
export async function drive(
  clients: number,
  more: () => boolean,
  one: (n: number) => Promise<unknown>,
): Promise<Load & { readonly seconds: number }> {
  const times: number[] = [];
  let next = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (more()) {
        const began = performance.now();
        await one(next++);
        times.push(performance.now() - began);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  return { perSecond: times.length / seconds, p99Ms: percentile(times, 0.99), seconds };
}

export function percentile(values: number[], part: number): number {
  values.sort((a, b) => a - b);
  return values[Math.min(values.length - 1, Math.floor(values.length * part))]!;
}

/** A registration of instance `n` of a catalog with so many services on so many nodes, with one check. */
export function registration(n: number, shape: { services: number; nodes: number }): Record<string, unknown> {
  const service = n % shape.services;
  const node = n % shape.nodes;
  const id = `svc-${service}-${Math.floor(n / shape.services)}`;
  return {
    Node: `node-${node}`,
    Address: `10.${node >> 16}.${(node >> 8) & 255}.${node & 255}`,
    SkipNodeUpdate: n >= shape.nodes,
    Service: { ID: id, Service: `svc-${service}`, Port: 8080, Tags: ['v1'] },
    Check: { CheckID: `c-${id}`, Name: 'alive', Status: 'passing', ServiceID: id },
  };
}

/** Connections that each wait for one answer. */
export class WaitingClients {
  readonly #sockets: Socket[] = [];
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** Opens `count` connections, a hundred at a time. */
  async open(count: number): Promise<void> {
    for (let at = 0; at < count; at += 100) {
      await Promise.all(
        Array.from({ length: Math.min(100, count - at) }, async () => {
          const socket = connect(this.#port, '127.0.0.1');
          socket.on('error', () => {});
          await new Promise((resolve) => socket.once('connect', resolve));
          this.#sockets.push(socket);
        }),
      );
    }
  }

  /** Sends one GET on each; gives the times from `start()` until each had its whole answer. */
  ask(path: string): { answered(startMs: number): Promise<number[]>; done(): number } {
    const request = `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const ends: number[] = [];
    const all = this.#sockets.map(
      (socket) =>
        new Promise<void>((resolve) => {
          let head = '';
          let missing: number | undefined;
          const onData = (chunk: Buffer): void => {
            if (missing === undefined) {
              head += chunk.toString('latin1');
              const end = head.indexOf('\r\n\r\n');
              if (end < 0) return;
              if (!head.startsWith('HTTP/1.1 200')) throw new Error(head.split('\r\n')[0]);
              missing = Number(/content-length: (\d+)/i.exec(head)![1]) - (head.length - end - 4);
            } else missing -= chunk.length;
            if (missing > 0) return;
            ends.push(performance.now());
            socket.off('data', onData);
            resolve();
          };
          socket.on('data', onData);
          socket.write(request);
        }),
    );
    return {
      answered: async (startMs) => {
        await Promise.all(all);
        return ends.map((end) => end - startMs);
      },
      done: () => ends.length,
    };
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

export function poolOf(port: number, connections: number): Pool {
  return new Pool(`http://127.0.0.1:${port}`, { connections, headersTimeout: 120_000 });
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
