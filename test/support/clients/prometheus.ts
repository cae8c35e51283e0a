import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { eventually } from '../eventually.ts';
import { freePort } from '../processes/free-port.ts';
import { removeFolder, tempFolder } from '../processes/temp-folder.ts';
import { startTied, type TiedProcess } from '../processes/tied-process.ts';

/** How long a start may take on a machine that is busy with other tests. */
const READY_MS = 60_000;

/** A target as Prometheus knows it. */
export interface Target {
  /** The job's name. */
  readonly scrapePool: string;
  readonly discoveredLabels: Readonly<Record<string, string>>;
  /** After relabelling. */
  readonly labels: Readonly<Record<string, string>>;
  readonly health: 'up' | 'down' | 'unknown';
  readonly lastError: string;
}

/** A real Prometheus on loopback, with a folder of its own. */
export class PrometheusProcess {
  readonly url: string;
  readonly process: TiedProcess;
  readonly #folder: string;

  private constructor(url: string, process: TiedProcess, folder: string) {
    this.url = url;
    this.process = process;
    this.#folder = folder;
  }

  /** Starts the program with a configuration, as the object that its YAML holds; waits until it answers. */
  static async start(program: string, config: object): Promise<PrometheusProcess> {
    const folder = tempFolder('prometheus');
    const port = await freePort();
    const file = join(folder, 'prometheus.yml');
    writeFileSync(file, stringify(config));
    const process = await startTied({
      name: 'prometheus',
      command: program,
      args: [
        `--config.file=${file}`,
        `--web.listen-address=127.0.0.1:${port}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
      ],
      cwd: folder,
      logFile: join(folder, 'log'),
      removeOnDeath: [folder],
    });
    const started = new PrometheusProcess(`http://127.0.0.1:${port}`, process, folder);
    try {
      const ready = async () => !process.running || (await fetch(`${started.url}/-/ready`)).ok;
      await eventually(ready, { withinMs: READY_MS, what: 'prometheus is ready' });
      if (process.running) return started;
      throw new Error(`prometheus ended with ${JSON.stringify(process.exit)}`);
    } catch (cause) {
      const error = new Error(`prometheus does not start:\n${process.logTail()}`, { cause });
      await started.stop();
      throw error;
    }
  }

  /** The targets that it scrapes now, of one job. */
  async targets(job: string): Promise<Target[]> {
    const response = await fetch(`${this.url}/api/v1/targets?state=active`, { signal: AbortSignal.timeout(10_000) });
    const { data } = (await response.json()) as { data: { activeTargets: Target[] } };
    return data.activeTargets.filter((target) => target.scrapePool === job);
  }

  async stop(): Promise<void> {
    await this.process.kill();
    removeFolder(this.#folder);
  }
}
