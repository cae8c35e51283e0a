import { once } from 'node:events';
import type { Command as Program } from 'commander';
import type { CommandIo } from '../command.ts';
import { type ClientFlags, checkFormat, subProgram, withClientFlags } from '../program.ts';
import type { ReadArchive } from '../snapshot.ts';
import { readNamed } from './file.ts';

interface DecodeDeps {
  readonly io: CommandIo;
  readonly readArchive: ReadArchive;
}

/** `snapshot decode`: everything in an archive, a line of JSON for each entry in the order in which it is stored. */
export function addDecode(parent: Program, deps: DecodeDeps): void {
  const examples = ['lictor snapshot decode backup.snap', 'lictor snapshot decode backup.snap | grep \'"Type":"kv"\''];
  const text =
    'Verifies an archive and prints all that it holds, one line of JSON with Type and Data each: first of the archive itself. It shows secrets.';
  withClientFlags(subProgram(parent, 'decode', text, examples, deps.io))
    .argument('<file>', 'the archive')
    .action((file: string, flags: ClientFlags) => decode(file, flags, deps));
}

/** Read twice: nothing is printed of an archive that is not whole. */
async function decode(file: string, flags: ClientFlags, { io, readArchive }: DecodeDeps): Promise<void> {
  checkFormat(flags.format);
  const meta = await readNamed(readArchive, file, () => {});
  const print = async (Type: string, Data: object) => {
    if (io.stdout.write(`${JSON.stringify({ Type, Data })}\n`)) return;
    await once(io.stdout, 'drain', { signal: io.signal });
  };
  try {
    await print('SnapshotHeader', meta);
    await readArchive(file, (entry) => print(entry.kind, entry.data()));
  } catch (error) {
    // Nobody reads on: `… | head`.
    if (!io.signal.aborted) throw error;
  }
}
