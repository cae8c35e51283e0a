import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { freePort } from '../processes/free-port.ts';
import { removeFolder, tempFolder } from '../processes/temp-folder.ts';
import { startTied, type TiedProcess } from '../processes/tied-process.ts';

/** How long a start may take on a machine that is busy with other tests. */
const READY_MS = 60_000;

/** A real HAProxy that finds the servers of its backends by SRV records. */
export class HaproxyProcess {
  readonly process: TiedProcess;
  readonly #port: number;
  readonly #folder: string;

  private constructor(process: TiedProcess, port: number, folder: string) {
    this.process = process;
    this.#port = port;
    this.#folder = folder;
  }

  /** Starts it with a backend for each SRV name; a request whose path begins with the backend's name goes there. */
  static async start(program: string, dnsPort: number, backends: Record<string, string>): Promise<HaproxyProcess> {
    const folder = tempFolder('haproxy');
    const port = await freePort();
    const file = join(folder, 'haproxy.cfg');
    writeFileSync(file, configuration(port, dnsPort, backends));
    const process = await startTied({
      name: 'haproxy',
      command: program,
      args: ['-db', '-f', file],
      cwd: folder,
      logFile: join(folder, 'log'),
      removeOnDeath: [folder],
    });
    const started = new HaproxyProcess(process, port, folder);
    try {
      const ready = async () => !process.running || (await fetch(`http://127.0.0.1:${port}/`)).status === 503;
      await eventually(ready, { withinMs: READY_MS, what: 'haproxy answers' });
      if (process.running) return started;
      throw new Error(`haproxy ended with ${JSON.stringify(process.exit)}`);
    } catch (cause) {
      const error = new Error(`haproxy does not start:\n${process.logTail()}`, { cause });
      await started.stop();
      throw error;
    }
  }

  /** The status of a request to a backend, and who answered it. */
  async ask(backend: string): Promise<{ status: number; text: string }> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/${backend}`, { signal: AbortSignal.timeout(10_000) });
    return { status: response.status, text: (await response.text()).trim() };
  }

  async stop(): Promise<void> {
    await this.process.kill();
    removeFolder(this.#folder);
  }
}

function configuration(port: number, dnsPort: number, backends: Record<string, string>): string {
  const names = Object.keys(backends);
  return `
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
resolvers lictor
  nameserver lictor 127.0.0.1:${dnsPort}
  accepted_payload_size 8192
  resolve_retries 3
  timeout resolve 200ms
  timeout retry 200ms
  hold valid 200ms
  hold obsolete 200ms
  hold nx 200ms
  hold timeout 600s
  hold refused 600s
  hold other 600s
frontend all
  bind 127.0.0.1:${port}
${names.map((name) => `  use_backend ${name} if { path_beg /${name} }`).join('\n')}
  default_backend none
backend none
${names
  .map(
    (name) => `backend ${name}
  balance roundrobin
  server-template ${name} 10 ${backends[name]} resolvers lictor resolve-opts allow-dup-ip resolve-prefer ipv4 init-addr none`,
  )
  .join('\n')}
`;
}
