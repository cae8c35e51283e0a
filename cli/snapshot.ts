import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SystemClock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { Command, CommandIo } from './command.ts';
import { json, ProgressLines } from './output.ts';
import { type ClientFlags, command, program, subProgram, withApi, withClientFlags } from './program.ts';
import { addAgent } from './snapshot/agent.ts';
import { addDecode } from './snapshot/decode.ts';
import { fileError, hasFolder, readable, sizeText } from './snapshot/file.ts';
import { type AgentSelf, factsOf, withFacts } from './snapshot/file-name.ts';
import { addInspect } from './snapshot/inspect.ts';

/** What an archive says of itself. */
export interface ArchiveMeta {
  readonly ID: string;
  readonly Size: number;
  readonly Index: number;
  readonly Term: number;
  readonly Version: number;
}

/** An entry of an archive. */
export interface ArchiveEntry {
  readonly kind: string;
  readonly bytes: number;
  /** Of the key/value store: the key that it holds. */
  readonly kvKey?: string;
  /** What it holds, to be written as JSON: the fields of its record, its place and its indexes. */
  data(): object;
}

/**
 * Reads a whole archive and verifies it; each entry goes to `take`, and the next one waits for it. @throws AppError for a bad one.
 */
export type ReadArchive = (path: string, take: (entry: ArchiveEntry) => Promise<void> | void) => Promise<ArchiveMeta>;

/** Large archives take long; the caller's signal ends it sooner. */
const TIMEOUT_MS = 24 * 3600 * 1000;

/** `lictor snapshot`: saves all data of the servers as a file, brings them back to it, and shows what is in one. */
export function snapshotCommand(deps: { readonly readArchive: ReadArchive }): Command {
  return command({
    name: 'snapshot',
    summary: 'Save, restore and inspect all data of the servers',
    program(io) {
      const examples = [
        'lictor snapshot save backup.snap',
        'lictor snapshot inspect backup.snap',
        'lictor snapshot agent -local-path=/var/backups',
      ];
      const target = program('lictor snapshot', 'Saves, restores and inspects snapshots of all data.', examples, io);
      const sub = (name: string, text: string, ...own: string[]) =>
        withClientFlags(subProgram(target, name, text, own, io)).argument('<file>', 'the archive');
      sub(
        'save',
        'Saves all data as a file, which is verified before it gets its name. It holds secrets: the keys of the certificate authority too.',
        'lictor snapshot save backup.snap',
        'lictor snapshot save -append-filename=version,dc,node,status backup.snap',
      )
        .option('--append-filename <facts>', 'put into the name of the file: version, dc, node, status, with commas')
        .action((file: string, flags: SaveFlags) => save(file, flags, { io, ...deps }));
      sub(
        'restore',
        'Replaces all data by those of an archive, all or nothing.',
        'lictor snapshot restore backup.snap',
      ).action((file: string, flags: ClientFlags) => restore(file, flags, io));
      addInspect(target, { io, ...deps });
      addDecode(target, { io, ...deps });
      addAgent(target, { io, ...deps });
      return target;
    },
  });
}

interface Deps {
  readonly io: CommandIo;
  readonly readArchive: ReadArchive;
}

interface SaveFlags extends ClientFlags {
  readonly appendFilename?: string;
}

async function save(given: string, flags: SaveFlags, { io, readArchive }: Deps): Promise<void> {
  const facts = factsOf(flags.appendFilename);
  await hasFolder(given);
  let file = given;
  let part = `${file}.unverified`;
  try {
    await withApi(flags, io, async (api) => {
      if (facts.length > 0) file = withFacts(given, facts, await api.get<AgentSelf>('/v1/agent/self'));
      part = `${file}.unverified`;
      const { body } = await api.stream('GET', '/v1/snapshot', { timeoutMs: TIMEOUT_MS });
      await pipeline(body, progress('saved', io), createWriteStream(part, { mode: 0o600 }), { signal: io.signal });
    });
    const { Index } = await readArchive(part, () => {});
    await rename(part, file);
    io.stdout.write(
      flags.format === 'json' ? json({ Index, File: file }) : `Saved and verified snapshot to index ${Index}\n`,
    );
  } catch (error) {
    await rm(part, { force: true });
    throw fileError(error, file);
  }
}

async function restore(file: string, flags: ClientFlags, io: CommandIo): Promise<void> {
  await readable(file);
  try {
    await withApi(flags, io, (api) =>
      api.send('PUT', '/v1/snapshot', { body: sent(createReadStream(file), io), timeoutMs: TIMEOUT_MS }),
    );
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError(error.code, `restoring ${file}: ${error.message}`, { facts: error.facts, cause: error });
  }
  io.stdout.write(flags.format === 'json' ? json({ Restored: file }) : 'Restored snapshot\n');
}

function sent(file: Readable, io: CommandIo): Readable {
  const counted = progress('sent', io);
  file.on('error', (error) => counted.destroy(error));
  return file.pipe(counted);
}

/** Tells now and then how far it is. */
function progress(what: string, io: CommandIo): Transform {
  const lines = new ProgressLines({ io, clock: new SystemClock() });
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      lines.report(`${sizeText(bytes)} ${what}`);
      done(null, chunk);
    },
  });
}
