import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startTied } from '../processes/tied-process.ts';
import { between, type Fault, lasts, type NemesisTargets } from './nemesis.ts';

/** What happens to the disks of etcd. */
export const DISK_FAULTS: readonly Fault[] = [fillDisk, slowSync];

/** Until nothing more fits; a member that ends of it is started again when there is room. */
async function fillDisk(targets: NemesisTargets): Promise<string> {
  const { etcd, smallDisk } = targets;
  const ballast = join(smallDisk.folder, 'ballast');
  const bytes = await fill(ballast);
  const ms = await lasts(targets);
  await rm(ballast);
  const ended = !etcd.process(smallDisk.member).running;
  if (ended) await etcd.restart(smallDisk.member);
  const outcome = ended ? ', of which it ended' : '';
  return `the disk of etcd ${smallDisk.member} was full for ${ms} ms (${bytes >> 20} MB)${outcome}`;
}

async function fill(file: string): Promise<number> {
  const handle = await open(file, 'w');
  let bytes = 0;
  try {
    for (const size of [1 << 20, 4096]) {
      const chunk = Buffer.alloc(size);
      try {
        for (;;) bytes += (await handle.write(chunk)).bytesWritten;
      } catch (error) {
        if ((error as { code?: string }).code !== 'ENOSPC') throw error;
      }
    }
  } finally {
    await handle.close();
  }
  return bytes;
}

/** strace holds every sync of one member back. */
async function slowSync(targets: NemesisTargets): Promise<string> {
  const { etcd, random } = targets;
  const member = Math.floor(random.next() * etcd.endpoints.length);
  const syncMs = between(random, 50, 1500);
  const { pid } = etcd.process(member);
  const strace = await startTied({
    name: 'strace',
    command: 'strace',
    args: [
      ...['-f', '-o', '/dev/null', '-p', String(pid), '-e', 'trace=fsync,fdatasync'],
      ...['-e', `inject=fsync,fdatasync:delay_enter=${syncMs * 1000}`],
    ],
    logFile: '/dev/null',
  });
  const ms = await lasts(targets);
  // It lets go of the process.
  strace.signal('SIGINT');
  await strace.exited;
  return `each sync of etcd ${member} took ${syncMs} ms longer for ${ms} ms`;
}
