import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileProblem } from '../../core/file-problem.ts';
import type { Logger } from '../../core/log.ts';

/** Where the process id of an etcd is written down, for the next server and for operators. */
export class ProcessIdFile {
  readonly path: string;
  readonly #log: Logger;
  /** Why it cannot be written, as it was told; '' when it can. */
  #problem = '';

  constructor(deps: { readonly log: Logger }, folder: string) {
    this.#log = deps.log;
    this.path = join(folder, 'etcd.pid');
  }

  /** Undefined where there is none. */
  read(): number | undefined {
    try {
      const pid = Number(readFileSync(this.path, 'utf8'));
      return pid > 1 ? pid : undefined;
    } catch {
      return undefined;
    }
  }

  /** A disk that does not take it ends nothing: that is told, and the caller tries again. Nothing when it is there. */
  write(pid: number): void {
    if (pid === this.read()) return;
    const file = this.path;
    try {
      writeFileSync(file, `${pid}\n`, { mode: 0o600 });
      if (this.#problem !== '') this.#log.info('the process id of etcd is written down now', { file, pid });
      this.#problem = '';
    } catch (error) {
      const problem = fileProblem(error);
      const text = 'the process id of etcd cannot be written down yet; until then it is found by its arguments';
      if (problem !== this.#problem) this.#log.error(text, { file, pid, problem });
      this.#problem = problem;
    }
  }
}
