import type { Command as Program } from 'commander';
import type { Namespace } from '../api/shapes/namespace.ts';
import { AppError } from '../core/errors.ts';
import type { CommandIo } from './command.ts';
import { readDefinitionFile } from './definition-file.ts';
import type { HttpApi } from './http-api.ts';
import { json } from './output.ts';
import { keyValue } from './pairs.ts';
import { type ClientFlags, command, program, subProgram, withApi, withClientFlags } from './program.ts';

interface WriteFlags extends ClientFlags {
  readonly name: string;
  readonly description?: string;
  readonly meta?: Readonly<Record<string, string>>;
  /** commander's form of -no-merge. */
  readonly merge?: boolean;
}

/** `lictor namespace create|list|read|write|update|delete`, the commands of Consul Enterprise. */
export const namespaceCommand = command({
  name: 'namespace',
  summary: 'Describe, list and delete namespaces',
  program(io) {
    const examples = ['lictor namespace list', 'lictor namespace create -name shop -description "the shop team"'];
    const text = 'Namespaces. One comes into being by use; these commands describe and delete them.';
    const root = program('lictor namespace', text, examples, io);
    addCreate(root, io);
    addUpdate(root, io);
    addWrite(root, io);
    addReads(root, io);
    addDelete(root, io);
    return root;
  },
});

function withContent(target: Program): Program {
  return target
    .requiredOption('--name <name>', 'the namespace')
    .option('--description <text>', 'what it is for')
    .option('--meta <key=value>', 'metadata; may be repeated', keyValue);
}

function addCreate(root: Program, io: CommandIo): void {
  const example = 'lictor namespace create -name shop -description "the shop team" -meta owner=ann';
  withContent(withClientFlags(subProgram(root, 'create', 'Describes a namespace.', [example], io))).action(
    (flags: WriteFlags) =>
      show(flags, io, (api) =>
        api.put<Namespace>('/v1/namespace', {
          json: { Name: flags.name, Description: flags.description, Meta: flags.meta },
        }),
      ),
  );
}

function addUpdate(root: Program, io: CommandIo): void {
  const examples = ['lictor namespace update -name shop -description "shop and cart"'];
  const text = 'Changes what is said of a namespace; what is not given stays.';
  withContent(withClientFlags(subProgram(root, 'update', text, examples, io)))
    .option('--no-merge', 'what is not given is removed')
    .action((flags: WriteFlags) =>
      show(flags, io, async (api) => {
        const before = await read(api, flags.name);
        const kept = flags.merge === false ? undefined : before;
        const Meta = flags.merge === false ? flags.meta : { ...kept?.Meta, ...flags.meta };
        const Description = flags.description ?? kept?.Description;
        return api.put<Namespace>(pathOf(flags.name), { json: { Name: flags.name, Description, Meta } });
      }),
    );
}

function addWrite(root: Program, io: CommandIo): void {
  const examples = ['lictor namespace write shop.hcl', 'cat shop.json | lictor namespace write -'];
  withClientFlags(subProgram(root, 'write', 'Describes a namespace from a file in HCL or JSON.', examples, io))
    .argument('<file>', 'Name, Description and Meta; - is standard input')
    .action(async (file: string, flags: ClientFlags) => {
      const { value } = await readDefinitionFile(file, io);
      await show(flags, io, (api) => api.put<Namespace>('/v1/namespace', { json: value }));
    });
}

function addReads(root: Program, io: CommandIo): void {
  withClientFlags(subProgram(root, 'list', 'Lists the namespaces.', ['lictor namespace list'], io)).action(
    async (flags: ClientFlags) => {
      const found = await withApi(flags, io, (api) => api.get<Namespace[]>('/v1/namespaces'));
      io.stdout.write(flags.format === 'json' ? json(found) : found.map(listed).join(''));
    },
  );
  withClientFlags(subProgram(root, 'read', 'Shows a namespace.', ['lictor namespace read shop'], io))
    .argument('<name>')
    .action((name: string, flags: ClientFlags) => show(flags, io, (api) => read(api, name)));
}

function addDelete(root: Program, io: CommandIo): void {
  const text = 'Deletes a namespace that holds nothing any more.';
  withClientFlags(subProgram(root, 'delete', text, ['lictor namespace delete shop'], io))
    .argument('<name>')
    .action(async (name: string, flags: ClientFlags) => {
      await withApi(flags, io, (api) => api.delete(pathOf(name)));
      io.stdout.write(flags.format === 'json' ? json({ Deleted: name }) : `Namespace "${name}" deleted!\n`);
    });
}

async function show(flags: ClientFlags, io: CommandIo, call: (api: HttpApi) => Promise<Namespace>): Promise<void> {
  const found = await withApi(flags, io, call);
  io.stdout.write(flags.format === 'json' ? json(found) : `Name: ${found.Name}\n${details(found, '')}`);
}

async function read(api: HttpApi, name: string): Promise<Namespace> {
  const answer = await api.send('GET', pathOf(name), { accept: [404] });
  if (answer.status !== 404) return answer.json<Namespace>();
  throw new AppError('notFound', `there is no namespace "${name}"; 'lictor namespace list' shows all`);
}

function listed(namespace: Namespace): string {
  return `${namespace.Name}:\n${details(namespace, '   ')}`;
}

/** Consul's layout: what there is, a heading each. */
function details({ Description, Meta }: Namespace, indent: string): string {
  const pairs = Object.entries(Meta ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const meta = pairs.map(([key, value]) => `${indent}   ${key} => ${value}\n`);
  return `${Description ? `${indent}Description:\n${indent}   ${Description}\n` : ''}${
    meta.length > 0 ? `${indent}Meta:\n${meta.join('')}` : ''
  }`;
}

function pathOf(name: string): string {
  return `/v1/namespace/${encodeURIComponent(name)}`;
}
