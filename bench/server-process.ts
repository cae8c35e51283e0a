import { type ChildProcess, spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../test/support/require-real.ts';

const HERE = dirname(fileURLToPath(import.meta.url));
/** As bin/lictor starts a server. */
const FLAGS = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=16', '--heap-growing-percent=100'];
const ENVIRONMENT = {
  ...process.env,
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '131072',
  MALLOC_MMAP_THRESHOLD_: '131072',
};
const TASKSET = findProgram('taskset');

/** What a server process has used so far. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  /** Memory of its own, without what it shares with files. */
  readonly anonymousBytes: number;
}

/** `http-server.ts` in a process of its own on core 0; the load runs on the other core. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #queue: string[] = [];
  readonly #waiting: ((line: string) => void)[] = [];
  port = 0;

  private constructor(args: readonly string[]) {
    const words = [process.execPath, ...FLAGS, join(HERE, 'http-server.ts'), ...args];
    if (TASKSET) words.unshift(TASKSET, '-c', '0');
    this.#child = spawn(words[0]!, words.slice(1), { stdio: ['pipe', 'pipe', 'inherit'], env: ENVIRONMENT });
    this.#lines = createInterface({ input: this.#child.stdout! });
    this.#lines.on('line', (line) => {
      const waiting = this.#waiting.shift();
      if (waiting) waiting(line);
      else this.#queue.push(line);
    });
  }

  /** Ready when it listens. The arguments are those of `http-server.ts`. */
  static async start(...args: readonly string[]): Promise<ServerProcess> {
    const server = new ServerProcess(args);
    server.port = Number(await server.#line());
    return server;
  }

  #line(): Promise<string> {
    const ready = this.#queue.shift();
    return ready === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(ready);
  }

  async usage(): Promise<Usage> {
    this.#child.stdin!.write('\n');
    const [cpu, rss, anonymous] = (await this.#line()).split(' ').map(Number);
    return { cpuSeconds: cpu! / 1e6, rssBytes: rss!, anonymousBytes: anonymous! };
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin!.end();
    await gone;
  }
}
