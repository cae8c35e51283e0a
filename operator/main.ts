import { readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { AppError } from '../core/errors.ts';
import { createLogger } from '../core/log.ts';
import { operatorHelp, parseOperatorOptions } from './options.ts';

/** What `lictor operator` may touch of the world. */
export interface OperatorIo {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts when the process is to end. */
  readonly signal: AbortSignal;
}

/**
 * V8 settings of an operator's process, effective for what is allocated from now on. It shares its node with workloads,
 * so it collects garbage when the heap has grown by a seventh, not when it has doubled, and keeps 2 MB for young objects
 * instead of 16 MB.
 */
const MEMORY_FLAGS = [
  '--max-semi-space-size=2',
  '--min-semi-space-size=1',
  '--semi-space-growth-factor=1',
  '--heap-growing-percent=15',
];

/**
 * `lictor operator`: runs until the signal aborts; gives the exit code.
 * @throws AppError `config`, `addressInUse` or `staleEpoch` in words for the user.
 */
export async function runOperator(argv: readonly string[], io: OperatorIo): Promise<number> {
  const options = parseOperatorOptions(argv, io.env);
  if (options === 'help') {
    io.stdout.write(operatorHelp());
    return 0;
  }
  for (const flag of MEMORY_FLAGS) setFlagsFromString(flag);
  const log = createLogger({ level: options.logLevel, sink: io.stderr });
  if (options.kubeconfig !== undefined) {
    read('--kubeconfig', options.kubeconfig);
    process.env.KUBECONFIG = options.kubeconfig; // where the library looks for it
  }
  const token =
    options.httpTokenFile === undefined ? options.httpToken : read('--token-file', options.httpTokenFile).trim();
  const ca = options.httpCaFile === undefined ? undefined : read('--ca-file', options.httpCaFile);
  // Loaded only now: the Kubernetes client alone weighs 60 MB, which a help text or a wrong flag need not wait for.
  const { operate } = await import('./operate.ts');
  await operate(options, { token, ca }, { log, signal: io.signal });
  return 0;
}

function read(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new AppError('config', `${flag}=${file}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
