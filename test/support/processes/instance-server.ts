import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '../eventually.ts';
import { freePort } from './free-port.ts';
import { removeFolder, tempFolder } from './temp-folder.ts';
import { startTied, type TiedProcess } from './tied-process.ts';

const PROGRAM = fileURLToPath(new URL('./instance-program.ts', import.meta.url));

/** A real HTTP service in a process of its own, whose health a test turns. */
export class InstanceServer {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly #folder: string;
  #process: TiedProcess;

  private constructor(name: string, address: { host: string; port: number }, folder: string, process: TiedProcess) {
    this.name = name;
    this.host = address.host;
    this.port = address.port;
    this.#folder = folder;
    this.#process = process;
  }

  /**
   * Starts one and waits until it answers. Default: 127.0.0.1 and a free port; on Linux every address of 127.0.0.0/8 is
   * there, so that several can share a port.
   */
  static async start(name: string, options: { host?: string; port?: number } = {}): Promise<InstanceServer> {
    const address = { host: options.host ?? '127.0.0.1', port: options.port ?? (await freePort()) };
    const folder = tempFolder('instance');
    return new InstanceServer(name, address, folder, await launch(name, address, folder));
  }

  get url(): string {
    return `http://${this.host}:${this.port}`;
  }

  /** From now on `/healthz` is answered with this status; `hang`: not at all. */
  async setHealth(status: number | 'hang'): Promise<void> {
    await fetch(`${this.url}/healthz`, { method: 'PUT', body: String(status) });
  }

  /** How often its health was asked so far. */
  async probes(): Promise<number> {
    return Number(await (await fetch(`${this.url}/probes`)).text());
  }

  /** Ends it at once: its port refuses connections. */
  async kill(): Promise<void> {
    await this.#process.kill();
  }

  /** Starts it again, well, on the same port. */
  async restart(): Promise<void> {
    await this.#process.kill();
    this.#process = await launch(this.name, this, this.#folder);
  }

  async stop(): Promise<void> {
    await this.#process.kill();
    removeFolder(this.#folder);
  }
}

async function launch(name: string, address: { host: string; port: number }, folder: string): Promise<TiedProcess> {
  const { host, port } = address;
  const process_ = await startTied({
    name,
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', PROGRAM, host, String(port), name],
    logFile: join(folder, 'log'),
  });
  await eventually(
    async () => {
      if (!process_.running) return true;
      return (await fetch(`http://${host}:${port}/`)).ok;
    },
    { withinMs: 20_000, what: `${name} answers` },
  );
  if (!process_.running) throw new Error(`${name} ended: ${process_.logTail()}`);
  return process_;
}
