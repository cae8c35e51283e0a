import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeFolder, tempFolder } from '../processes/temp-folder.ts';
import { startTied, type TiedProcess } from '../processes/tied-process.ts';

export interface ConsulTemplateStart {
  /** `host:port` of an agent. */
  readonly server: string;
  /** Text of each template, by a name of the caller's. */
  readonly templates: Readonly<Record<string, string>>;
  /** Further lines of its configuration. */
  readonly config?: string;
  readonly args?: readonly string[];
}

/** A real consul-template with a folder of its own. */
export class ConsulTemplateProcess {
  readonly process: TiedProcess;
  readonly #folder: string;

  private constructor(process: TiedProcess, folder: string) {
    this.process = process;
    this.#folder = folder;
  }

  static async start(program: string, options: ConsulTemplateStart): Promise<ConsulTemplateProcess> {
    const folder = tempFolder('consul-template');
    const blocks = Object.entries(options.templates).map(([name, text]) => {
      writeFileSync(join(folder, `${name}.tpl`), text);
      return `template {
  source = ${JSON.stringify(join(folder, `${name}.tpl`))}
  destination = ${JSON.stringify(join(folder, name))}
}`;
    });
    const config = `
consul {
  address = ${JSON.stringify(options.server)}
  # Its own default gives up after 12 attempts, with up to a minute between them.
  retry {
    attempts = 0
    backoff = "100ms"
    max_backoff = "1s"
  }
}
${options.config ?? ''}
${blocks.join('\n')}
`;
    const file = join(folder, 'config.hcl');
    writeFileSync(file, config);
    const process = await startTied({
      name: 'consul-template',
      command: program,
      args: [`-config=${file}`, ...(options.args ?? [])],
      cwd: folder,
      logFile: join(folder, 'log'),
      removeOnDeath: [folder],
    });
    return new ConsulTemplateProcess(process, folder);
  }

  /** What a template was rendered to; undefined while it was not. @throws Error with its log when it has ended badly. */
  rendered(name: string): string | undefined {
    const code = this.process.exit?.code ?? 0;
    if (code !== 0) throw new Error(`consul-template ended with ${code}:\n${this.process.logTail()}`);
    const file = join(this.#folder, name);
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  }

  async stop(): Promise<void> {
    await this.process.kill();
    removeFolder(this.#folder);
  }
}
