import type { Command as Program } from 'commander';
import { AppError, errorText } from '../core/errors.ts';
import { CommandExit, type CommandIo } from './command.ts';
import { type EntryFile, entryOf, isKnownKind, kindHint } from './config/entry-file.ts';
import { readDefinitionFile } from './definition-file.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, subProgram, withApi, withClientFlags } from './program.ts';

interface KindFlags extends ClientFlags {
  readonly kind?: string;
  readonly name?: string;
}

interface CasFlags {
  readonly cas?: boolean;
  readonly modifyIndex?: string;
}

/** `lictor config read|list|write|delete`: configuration entries. */
export const configCommand = command({
  name: 'config',
  summary: 'Read, list, write and delete configuration entries',
  program(io) {
    const examples = ['lictor config write web.hcl', 'lictor config read -kind service-defaults -name web'];
    const root = program('lictor config', 'Configuration entries.', examples, io);
    addRead(root, io);
    addList(root, io);
    addWrite(root, io);
    addDelete(root, io);
    return root;
  },
});

function addRead(root: Program, io: CommandIo): void {
  const example = 'lictor config read -kind service-defaults -name web';
  withClientFlags(subProgram(root, 'read', 'Prints an entry as JSON.', [example], io))
    .option('--kind <kind>', 'kind of the entry')
    .option('--name <name>', 'name of the entry')
    .action(async (flags: KindFlags) => {
      const { kind, name } = kindAndName(flags);
      const entry = await withApi(flags, io, (api) => api.get<object>(entryPath(kind, name)));
      io.stdout.write(flags.format === 'json' ? json(entry) : `${JSON.stringify(entry, null, 4)}\n`);
    });
}

function addList(root: Program, io: CommandIo): void {
  const examples = ['lictor config list -kind service-defaults', `lictor config list -kind mesh -format json`];
  withClientFlags(subProgram(root, 'list', 'Lists the names of the entries of a kind.', examples, io))
    .option('--kind <kind>', 'kind of the entries')
    .option('--filter <expression>', 'only entries for which this expression holds')
    .action(async (flags: KindFlags & { readonly filter?: string }) => {
      const path = `/v1/config/${encodeURIComponent(checkedKind(flags.kind))}`;
      const query = { filter: flags.filter };
      const entries = await withApi(flags, io, (api) => api.get<{ Kind: string; Name?: string }[]>(path, query));
      const names = entries.map(({ Kind, Name }) => `${Name ?? Kind}\n`);
      io.stdout.write(flags.format === 'json' ? json(entries) : names.join(''));
    });
}

function addWrite(root: Program, io: CommandIo): void {
  const examples = [
    'lictor config write web.hcl',
    'lictor config write defaults.hcl routes.json',
    'lictor config write -cas -modify-index=26 web.hcl',
    'cat web.json | lictor config write -',
  ];
  const text =
    'Writes entries from files in HCL or JSON, one a file, with keys in snake_case or CamelCase. All files are checked before the first entry is written.';
  withCasFlags(withClientFlags(subProgram(root, 'write', text, examples, io)).argument('<files...>', '- is input'))
    // The files of several entries have several indexes.
    .action(async (files: string[], flags: ClientFlags & CasFlags) => {
      if (flags.cas && files.length > 1)
        throw new AppError('config', '-cas: give one file; each entry has its own index');
      const cas = casOf(flags, '0');
      const entries: EntryFile[] = [];
      for (const file of files) entries.push(entryOf(await readDefinitionFile(file, io)));
      await write(entries, cas, flags, io);
    });
}

async function write(
  entries: readonly EntryFile[],
  cas: string | undefined,
  flags: ClientFlags,
  io: CommandIo,
): Promise<void> {
  await withApi(flags, io, async (api) => {
    for (const { kind, name, body } of entries) {
      const done = await named(`Error writing config entry ${kind}/${name}`, () =>
        api.put<boolean>('/v1/config', { json: body, query: { cas } }),
      );
      if (!done) throw new CommandExit(1, `Config entry not updated: ${kind}/${name} (its index is not ${cas})`);
      if (flags.format !== 'json') io.stdout.write(`Config entry written: ${kind}/${name}\n`);
    }
  });
  if (flags.format === 'json') io.stdout.write(json(entries.map(({ kind, name }) => ({ Kind: kind, Name: name }))));
}

function addDelete(root: Program, io: CommandIo): void {
  const examples = [
    'lictor config delete -kind service-defaults -name web',
    'lictor config delete -filename web.hcl',
    'lictor config delete -kind service-defaults -name web -cas -modify-index=26',
  ];
  withCasFlags(withClientFlags(subProgram(root, 'delete', 'Deletes an entry.', examples, io)))
    .option('--kind <kind>', 'kind of the entry')
    .option('--name <name>', 'name of the entry')
    .option('--filename <path>', 'a file that says kind and name, instead of these')
    .action((flags: KindFlags & CasFlags & { readonly filename?: string }) => remove(flags, io));
}

async function remove(flags: KindFlags & CasFlags & { readonly filename?: string }, io: CommandIo): Promise<void> {
  if (flags.filename !== undefined && (flags.kind !== undefined || flags.name !== undefined)) {
    throw new AppError('config', '-filename says kind and name; give either it or -kind and -name');
  }
  const { kind, name } =
    flags.filename === undefined ? kindAndName(flags) : entryOf(await readDefinitionFile(flags.filename, io));
  const cas = casOf(flags, undefined);
  const done = await withApi(flags, io, (api) =>
    named(`Error deleting config entry ${kind}/${name}`, () => api.delete(entryPath(kind, name), { query: { cas } })),
  );
  if (done === false) throw new CommandExit(1, `Config entry not deleted: ${kind}/${name} (its index is not ${cas})`);
  const shown = { Kind: kind, Name: name };
  io.stdout.write(flags.format === 'json' ? json(shown) : `Config entry deleted: ${kind}/${name}\n`);
}

function withCasFlags(target: Program): Program {
  return target
    .option('--cas', 'only if the entry has the index of -modify-index')
    .option('--modify-index <index>', 'the ModifyIndex that -cas asks for; 0: only if there is no such entry');
}

function casOf({ cas, modifyIndex }: CasFlags, absent: string | undefined): string | undefined {
  if (!cas) {
    if (modifyIndex === undefined) return undefined;
    throw new AppError('config', 'Cannot specify -modify-index without -cas!');
  }
  const index = modifyIndex ?? absent;
  if (index === undefined) throw new AppError('config', 'Must specify -modify-index with -cas!');
  if (!/^\d{1,20}$/.test(index)) throw new AppError('config', `-modify-index=${index}: use a whole number from 0`);
  return index;
}

/** Says what failed before the reason. */
async function named<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    const code = cause instanceof AppError ? cause.code : 'unavailable';
    throw new AppError(code, `${what}: ${errorText(cause)}`, { cause });
  }
}

function kindAndName(flags: KindFlags): { kind: string; name: string } {
  const kind = checkedKind(flags.kind);
  if (!flags.name) throw new AppError('config', 'Must specify the -name parameter');
  return { kind, name: flags.name };
}

function checkedKind(kind: string | undefined): string {
  if (!kind) throw new AppError('config', `Must specify the -kind parameter${kindHint('')}`);
  if (!isKnownKind(kind)) throw new AppError('config', `-kind=${kind}: there is no such kind${kindHint(kind)}`);
  return kind;
}

function entryPath(kind: string, name: string): string {
  return `/v1/config/${encodeURIComponent(kind)}/${encodeURIComponent(name)}`;
}
