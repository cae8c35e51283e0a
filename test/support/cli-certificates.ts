import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { runLictor } from './processes/run-lictor.ts';

/** Certificates as an operator makes them, by `lictor tls`. */
export class CliCertificates {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  static async create(folder: string): Promise<CliCertificates> {
    const made = new CliCertificates(folder);
    await made.#run('ca', 'create');
    return made;
  }

  get ca(): string {
    return join(this.folder, 'consul-agent-ca.pem');
  }

  /** Makes a certificate and moves it and its key to `into`, replacing what was there. */
  async issue(into: string, ...flags: string[]): Promise<void> {
    await this.#run('cert', 'create', ...flags);
    const kind = flags[0]!.slice(1);
    for (const [from, to] of [
      [`dc1-${kind}-consul-0-key.pem`, `${into}-key.pem`],
      [`dc1-${kind}-consul-0.pem`, `${into}.pem`],
    ] as const) {
      renameSync(join(this.folder, from), to);
    }
  }

  async #run(...args: string[]): Promise<void> {
    const { code, stderr } = await runLictor(['tls', ...args], { cwd: this.folder });
    if (code !== 0) throw new Error(stderr);
  }
}
