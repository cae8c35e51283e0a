import type { Node } from '../api/shapes/catalog.ts';
import type { CommandIo } from './command.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, subProgram, withApi, withClientFlags } from './program.ts';
import { table } from './table.ts';

/** `lictor catalog datacenters|nodes|services`, with Consul's columns. */
export const catalogCommand = command({
  name: 'catalog',
  summary: 'List datacenters, nodes or services',
  program(io) {
    const root = program(
      'lictor catalog',
      'Lists what the catalog holds.',
      [
        'lictor catalog services',
        'lictor catalog services -tags',
        'lictor catalog nodes -service web',
        'lictor catalog nodes -format json',
      ],
      io,
    );
    const sub = (name: string, description: string, ...examples: string[]) =>
      withClientFlags(subProgram(root, name, description, examples, io));
    sub('datacenters', 'Names of the known datacenters, nearest first', 'lictor catalog datacenters').action(
      (flags: ClientFlags) => datacenters(flags, io),
    );
    sub('nodes', 'Nodes, their ids and addresses', 'lictor catalog nodes', 'lictor catalog nodes -service web')
      .option('--service <name>', 'only nodes with an instance of this service')
      .action((flags: ClientFlags & { service?: string }) => nodes(flags, io));
    sub('services', 'Names of the services', 'lictor catalog services -tags', 'lictor catalog services -node n1')
      .option('--tags', 'show the tags too')
      .option('--node <name>', 'only services of this node')
      .action((flags: ClientFlags & { tags?: boolean; node?: string }) => services(flags, io));
    return root;
  },
});

async function datacenters(flags: ClientFlags, io: CommandIo): Promise<void> {
  const names = await withApi(flags, io, (api) => api.get<string[]>('/v1/catalog/datacenters'));
  io.stdout.write(flags.format === 'json' ? json(names) : names.map((name) => `${name}\n`).join(''));
}

async function nodes(flags: ClientFlags & { service?: string }, io: CommandIo): Promise<void> {
  const rows = await withApi(flags, io, async (api) => {
    if (flags.service === undefined) return api.get<Node[]>('/v1/catalog/nodes');
    const entries = await api.get<{ Node: Node }[]>(`/v1/health/service/${encodeURIComponent(flags.service)}`);
    return [...new Map(entries.map((entry) => [entry.Node.Node, entry.Node])).values()];
  });
  const short = (id: string) => id.slice(0, 8);
  io.stdout.write(
    flags.format === 'json'
      ? json(rows)
      : table(
          ['Node', 'ID', 'Address', 'DC'],
          rows.map((row) => [row.Node, short(row.ID), row.Address, row.Datacenter]),
        ),
  );
}

async function services(flags: ClientFlags & { tags?: boolean; node?: string }, io: CommandIo): Promise<void> {
  const found = await withApi(flags, io, async (api) => {
    if (flags.node === undefined) return api.get<Record<string, string[]>>('/v1/catalog/services');
    const onNode = await api.get<{ Services: Record<string, { Service: string; Tags: string[] | null }> } | null>(
      `/v1/catalog/node/${encodeURIComponent(flags.node)}`,
    );
    return Object.fromEntries(
      Object.values(onNode?.Services ?? {}).map((service) => [service.Service, service.Tags ?? []]),
    );
  });
  const names = Object.keys(found).sort();
  if (flags.format === 'json') io.stdout.write(json(found));
  else if (flags.tags) {
    const width = Math.max(0, ...names.map((name) => name.length));
    io.stdout.write(
      names.map((name) => `${`${name.padEnd(width)}  ${found[name]!.sort().join(',')}`.trimEnd()}\n`).join(''),
    );
  } else io.stdout.write(names.map((name) => `${name}\n`).join(''));
}
