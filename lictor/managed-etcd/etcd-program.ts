import { execFile } from 'node:child_process';
import { AppError, errorText } from '../../core/errors.ts';

/** The etcd that a server is given. */
export interface EtcdProgram {
  /** E.g. `etcd Version: 3.4.23`. */
  readonly version: string;
  /** The flags that its help names, with their dashes. */
  readonly flags: ReadonlySet<string>;
}

const WAIT_MS = 30_000;

/** Asks a program, by path or name on PATH, what it is. @throws AppError `config` when it is missing or too old. */
export async function readEtcdProgram(bin: string): Promise<EtcdProgram> {
  const [{ stdout, error }, help] = await Promise.all([output(bin, '--version'), output(bin, '--help')]);
  if (error) throw new AppError('config', missing(bin, errorText(error)), { cause: error });
  const version = /etcd Version: (\d+)\.(\d+)\.\S+/.exec(stdout);
  if (!version) throw new AppError('config', missing(bin, 'it does not tell the version of an etcd'));
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major < 3 || (major === 3 && minor < 4)) {
    throw new AppError('config', missing(bin, `${version[0]} is older than 3.4`));
  }
  const flags = `${help.stdout}\n${help.stderr}`.match(/(?<=^\s*)--[a-z0-9-]+/gm) ?? [];
  return { version: version[0], flags: new Set(flags) };
}

interface Output {
  readonly stdout: string;
  readonly stderr: string;
  readonly error: Error | undefined;
}

function output(bin: string, flag: string): Promise<Output> {
  return new Promise((resolve) => {
    execFile(bin, [flag], { timeout: WAIT_MS }, (error, stdout, stderr) =>
      resolve({ stdout, stderr, error: error ?? undefined }),
    );
  });
}

function missing(bin: string, why: string): string {
  return `etcd.bin: ${JSON.stringify(bin)} cannot be used (${why}); install etcd 3.4 or later (Debian: apt-get install etcd-server), name it with -etcd-bin, or give -etcd-endpoints of one that runs`;
}
