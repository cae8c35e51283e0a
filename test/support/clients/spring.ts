import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { freePort } from '../processes/free-port.ts';
import { removeFolder, tempFolder } from '../processes/temp-folder.ts';
import { startTied, type TiedProcess } from '../processes/tied-process.ts';

/** How long a start may take on a machine that is busy with other tests. */
const READY_MS = 120_000;

/** An instance as Spring's discovery client sees it. */
export interface SeenInstance {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A Spring Boot application that registers itself, in a process of its own. */
export class SpringProcess {
  readonly port: number;
  readonly process: TiedProcess;
  readonly #folder: string;

  private constructor(port: number, process: TiedProcess, folder: string) {
    this.port = port;
    this.process = process;
    this.#folder = folder;
  }

  /** Starts the application with properties of Spring; waits until it answers. */
  static async start(jar: string, properties: Record<string, string | number>): Promise<SpringProcess> {
    const folder = tempFolder('spring');
    const port = await freePort();
    const process = await startTied({
      name: 'spring',
      command: 'java',
      // A quick start is worth more here than fast code.
      args: [
        '-XX:TieredStopAtLevel=1',
        '-Xmx256m',
        '-jar',
        jar,
        `--server.port=${port}`,
        '--server.address=127.0.0.1',
        ...Object.entries(properties).map(([key, value]) => `--${key}=${value}`),
      ],
      cwd: folder,
      logFile: join(folder, 'log'),
      removeOnDeath: [folder],
    });
    const started = new SpringProcess(port, process, folder);
    try {
      const ready = async () => !process.running || (await fetch(`http://127.0.0.1:${port}/services`)).ok;
      await eventually(ready, { withinMs: READY_MS, everyMs: 100, what: 'the application answers' });
      if (process.running) return started;
      throw new Error(`the application ended with ${JSON.stringify(process.exit)}`);
    } catch (cause) {
      const error = new Error(`spring does not start:\n${process.logTail()}`, { cause });
      await started.stop();
      throw error;
    }
  }

  /** The body of a GET. @throws Error when the status is neither 2xx nor that of an unhealthy application (503). */
  async text(path: string): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, { signal: AbortSignal.timeout(20_000) });
    const text = await response.text();
    if (!response.ok && response.status !== 503) throw new Error(`GET ${path}: ${response.status} ${text}`);
    return text;
  }

  async get<T>(path: string): Promise<T> {
    return JSON.parse(await this.text(path)) as T;
  }

  async stop(): Promise<void> {
    await this.process.kill();
    removeFolder(this.#folder);
  }
}
