import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { removeFolder } from '../processes/temp-folder.ts';
import { findKubeBinaries } from './binaries.ts';
import type { ControlPlanePlace } from './control-plane.ts';
import { Kube } from './kube.ts';
import { startPlane } from './start-kube.ts';

interface SharedRecord {
  readonly place: ControlPlanePlace;
  readonly apiserverPid: number;
}

/** The process whose end ends the shared server: jest itself, not one of its workers. */
function runPid(): number {
  const isWorker = process.argv[1]?.includes('jest-worker') === true;
  return isWorker ? process.ppid : process.pid;
}

/** When a process started; tells two processes of one number apart. */
function startOf(pid: number): string {
  const stat = `/proc/${pid}/stat`;
  // Clock ticks since boot (proc(5), field 22); elsewhere ps says it in words.
  if (existsSync(stat)) return readFileSync(stat, 'utf8').split(') ')[1]!.split(' ')[19]!;
  return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
    .trim()
    .replace(/\W+/g, '-');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * One API server for all test files of a run: the first caller starts it, the others find it, and it ends with the run.
 * What a test does there must not disturb others: objects in namespaces of its own, CRDs installed but never removed,
 * no operator that watches every namespace.
 * @throws Error as `startKube`, or when the one who started it failed.
 */
export async function sharedKube(): Promise<Kube> {
  const binaries = findKubeBinaries();
  if ('missing' in binaries) throw new Error(`${binaries.missing} is missing: ${binaries.install}`);
  const run = runPid();
  const folder = join(tmpdir(), `lictor-shared-kube-${userInfo().uid}-${run}-${startOf(run)}`);
  if (claim(folder)) return start(binaries, folder, run);
  return new Kube(binaries, (await waitForRecord(folder)).place);
}

/** True for the one who made the folder. */
function claim(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function start(binaries: ConstructorParameters<typeof Kube>[0], folder: string, run: number): Promise<Kube> {
  const write = (name: string, text: string) => {
    // Under its name only when it is whole.
    writeFileSync(join(folder, `${name}.new`), text, { mode: 0o600 });
    renameSync(join(folder, `${name}.new`), join(folder, name));
  };
  try {
    const started = await startPlane(binaries, run, [folder]);
    const record: SharedRecord = { place: started.place, apiserverPid: started.apiserver.pid };
    write('record.json', JSON.stringify(record));
    return new Kube(binaries, started.place);
  } catch (error) {
    write('failed', String(error));
    // Kept long enough for those who wait; the next to ask starts anew.
    setTimeout(() => removeFolder(folder), 2000).unref();
    throw error;
  }
}

async function waitForRecord(folder: string): Promise<SharedRecord> {
  const deadline = performance.now() + 120_000;
  while (performance.now() < deadline) {
    if (existsSync(join(folder, 'failed'))) throw new Error(readFileSync(join(folder, 'failed'), 'utf8'));
    if (existsSync(join(folder, 'record.json'))) {
      const record = JSON.parse(readFileSync(join(folder, 'record.json'), 'utf8')) as SharedRecord;
      if (!isAlive(record.apiserverPid)) throw new Error(`the shared API server has ended; see ${record.place.folder}`);
      return record;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the shared API server was not started within 120 s by the one who claimed ${folder}`);
}
