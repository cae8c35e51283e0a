import type { Command as Program } from 'commander';
import { AppError } from '../../core/errors.ts';
import type { CommandIo } from '../command.ts';
import { json } from '../output.ts';
import { wholeNumber } from '../pairs.ts';
import { type ClientFlags, checkFormat, subProgram, withClientFlags } from '../program.ts';
import type { ArchiveMeta, ReadArchive } from '../snapshot.ts';
import { table } from '../table.ts';
import { readNamed, sizeText } from './file.ts';

interface InspectFlags extends ClientFlags {
  readonly kvdetails?: boolean;
  readonly kvdepth?: number;
  readonly kvfilter?: string;
}

interface InspectDeps {
  readonly io: CommandIo;
  readonly readArchive: ReadArchive;
}

/** Consul's level of grouping keys. */
const DEFAULT_DEPTH = 2;

/** `snapshot inspect`: what an archive holds, by kind, and with -kvdetails by the beginnings of keys. */
export function addInspect(parent: Program, deps: InspectDeps): void {
  const examples = [
    'lictor snapshot inspect backup.snap',
    'lictor snapshot inspect -kvdetails -kvdepth=3 -kvfilter=vault/core backup.snap',
    'lictor snapshot inspect backup.snap -format json',
  ];
  const text = 'Verifies an archive and shows what it holds, by kind.';
  withClientFlags(subProgram(parent, 'inspect', text, examples, deps.io))
    .argument('<file>', 'the archive')
    .option('--kvdetails', 'show what the key/value store holds, by the beginnings of keys')
    .option('--kvdepth <levels>', `parts of a key that make a group (default ${DEFAULT_DEPTH})`, wholeNumber(1, 100))
    .option('--kvfilter <prefix>', 'only keys with this prefix')
    .action((file: string, flags: InspectFlags) => inspect(file, flags, deps));
}

async function inspect(file: string, flags: InspectFlags, { io, readArchive }: InspectDeps): Promise<void> {
  checkFormat(flags.format);
  const { kvdetails = false, kvdepth = DEFAULT_DEPTH, kvfilter = '' } = flags;
  if (!kvdetails && (flags.kvdepth !== undefined || flags.kvfilter !== undefined)) {
    throw new AppError('config', '-kvdepth and -kvfilter need -kvdetails');
  }
  const kinds = new Sums();
  const keys = new Sums();
  const meta = await readNamed(readArchive, file, ({ kind, bytes, kvKey }) => {
    kinds.add(kind, bytes);
    if (kvdetails && kvKey?.startsWith(kvfilter)) keys.add(kvKey.split('/', kvdepth).join('/'), bytes);
  });
  if (flags.format === 'json') {
    const details = kvdetails ? { StatsKV: keys.rows(), TotalSizeKV: keys.total } : {};
    io.stdout.write(json({ Meta: meta, Stats: kinds.rows(), TotalSize: kinds.total, ...details }));
  } else {
    io.stdout.write(`${metaText(meta)}\n${kinds.table('Type')}${kvdetails ? `\n${keys.table('Key Name')}` : ''}`);
  }
}

/** Consul's layout. */
function metaText(meta: ArchiveMeta): string {
  const names = ['ID', 'Size', 'Index', 'Term', 'Version'] as const;
  return names.map((name) => ` ${name.padEnd(12)} ${meta[name]}\n`).join('');
}

/** Counts and sizes by name. */
class Sums {
  readonly #rows = new Map<string, { Name: string; Count: number; Size: number }>();
  total = 0;

  add(Name: string, bytes: number): void {
    const known = this.#rows.get(Name);
    if (known) {
      known.Count++;
      known.Size += bytes;
    } else this.#rows.set(Name, { Name, Count: 1, Size: bytes });
    this.total += bytes;
  }

  /** The largest first. */
  rows(): { Name: string; Count: number; Size: number }[] {
    return [...this.#rows.values()].sort((a, b) => b.Size - a.Size || (a.Name < b.Name ? -1 : 1));
  }

  table(head: string): string {
    const rows = this.rows().map(({ Name, Count, Size }) => [` ${Name}`, String(Count), sizeText(Size)]);
    const line = [' ----', '----', '----'];
    return table([` ${head}`, 'Count', 'Size'], [line, ...rows, line, [' Total', '', sizeText(this.total)]]);
  }
}
