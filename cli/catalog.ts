import type { Command as Program } from 'commander';
import type { Node } from '../api/shapes/catalog.ts';
import { AppError } from '../core/errors.ts';
import type { CommandIo } from './command.ts';
import { json } from './output.ts';
import { keyValue } from './pairs.ts';
import { type ClientFlags, command, program, subProgram, withApi, withClientFlags } from './program.ts';
import { table } from './table.ts';

interface NodesFlags extends ClientFlags {
  readonly detailed?: boolean;
  readonly filter?: string;
  readonly near?: string;
  readonly nodeMeta?: Readonly<Record<string, string>>;
  readonly service?: string;
}

interface ServicesFlags extends ClientFlags {
  readonly filter?: string;
  readonly node?: string;
  readonly nodeMeta?: Readonly<Record<string, string>>;
  readonly tags?: boolean;
}

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
    addDatacenters(root, io);
    addNodes(root, io);
    addServices(root, io);
    return root;
  },
});

function addDatacenters(root: Program, io: CommandIo): void {
  const example = 'lictor catalog datacenters';
  withClientFlags(
    subProgram(root, 'datacenters', 'Names of the known datacenters, nearest first', [example], io),
  ).action((flags: ClientFlags) => datacenters(flags, io));
}

function addNodes(root: Program, io: CommandIo): void {
  const examples = [
    'lictor catalog nodes',
    'lictor catalog nodes -detailed',
    'lictor catalog nodes -service web -near _agent',
    "lictor catalog nodes -filter='Meta.rack == r1'",
  ];
  withClientFlags(subProgram(root, 'nodes', 'Nodes, their ids and addresses', examples, io))
    .option('--detailed', 'show whole ids, tagged addresses and metadata too')
    .option('--filter <expression>', 'only nodes for which this expression holds')
    .option('--near <node>', 'the nearest to this node first; _agent is the agent’s own')
    .option('--node-meta <key=value>', 'only nodes with this metadata; may be repeated', keyValue)
    .option('--service <name>', 'only nodes with an instance of this service')
    .action((flags: NodesFlags) => nodes(flags, io));
}

function addServices(root: Program, io: CommandIo): void {
  const examples = [
    'lictor catalog services -tags',
    'lictor catalog services -node n1',
    'lictor catalog services -node-meta=rack=r1',
  ];
  withClientFlags(subProgram(root, 'services', 'Names of the services', examples, io))
    .option('--filter <expression>', 'only services with an instance for which this expression holds')
    .option('--node <name>', 'only services of this node')
    .option('--node-meta <key=value>', 'only services of nodes with this metadata; may be repeated', keyValue)
    .option('--tags', 'show the tags too')
    .action((flags: ServicesFlags) => services(flags, io));
}

async function datacenters(flags: ClientFlags, io: CommandIo): Promise<void> {
  const names = await withApi(flags, io, (api) => api.get<string[]>('/v1/catalog/datacenters'));
  io.stdout.write(flags.format === 'json' ? json(names) : names.map((name) => `${name}\n`).join(''));
}

async function nodes(flags: NodesFlags, io: CommandIo): Promise<void> {
  const query = { filter: flags.filter, near: flags.near, 'node-meta': metaQuery(flags.nodeMeta) };
  const rows = await withApi(flags, io, async (api) => {
    if (flags.service === undefined) return api.get<Node[]>('/v1/catalog/nodes', query);
    const path = `/v1/catalog/service/${encodeURIComponent(flags.service)}`;
    const instances = await api.get<InstanceRow[]>(path, query);
    return [...new Map(instances.map((one) => [one.Node, nodeOf(one)])).values()];
  });
  if (flags.format === 'json') io.stdout.write(json(rows));
  else if (rows.length === 0) io.stdout.write('No nodes match the given query - try expanding your search.\n');
  else io.stdout.write(flags.detailed ? detailed(rows) : plain(rows));
}

type NodeRow = Pick<Node, 'Node' | 'ID' | 'Address' | 'Datacenter' | 'TaggedAddresses' | 'Meta'>;

/** What /v1/catalog/service/:name says of a node. */
type InstanceRow = Omit<NodeRow, 'Meta'> & { readonly NodeMeta: Node['Meta'] };

function nodeOf({ NodeMeta, Node: name, ID, Address, Datacenter, TaggedAddresses }: InstanceRow): NodeRow {
  return { Node: name, ID, Address, Datacenter, TaggedAddresses, Meta: NodeMeta };
}

function plain(rows: readonly NodeRow[]): string {
  return table(
    ['Node', 'ID', 'Address', 'DC'],
    rows.map(({ Node: name, ID, Address, Datacenter }) => [name, ID.slice(0, 8), Address, Datacenter]),
  );
}

function detailed(rows: readonly NodeRow[]): string {
  return table(
    ['Node', 'ID', 'Address', 'DC', 'TaggedAddresses', 'Meta'],
    rows.map((row) => [
      row.Node,
      row.ID,
      row.Address,
      row.Datacenter,
      pairsText(row.TaggedAddresses),
      pairsText(row.Meta),
    ]),
  );
}

function pairsText(pairs: Readonly<Record<string, string>> | null | undefined): string {
  const known = Object.entries(pairs ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return known.map(([key, value]) => `${key}=${value}`).join(', ');
}

/** `?node-meta=key:value`, once for each. */
function metaQuery(meta: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries(meta).map(([key, value]) => `${key}:${value}`);
}

async function services(flags: ServicesFlags, io: CommandIo): Promise<void> {
  const { node, nodeMeta, filter } = flags;
  if (node !== undefined && nodeMeta !== undefined) {
    throw new AppError('config', '-node and -node-meta exclude each other; give one of them');
  }
  const found = await withApi(flags, io, async (api) => {
    if (node === undefined) {
      const query = { filter, 'node-meta': metaQuery(nodeMeta) };
      return api.get<Record<string, string[]>>('/v1/catalog/services', query);
    }
    const onNode = await api.get<{ Services: Record<string, { Service: string; Tags: string[] | null }> } | null>(
      `/v1/catalog/node/${encodeURIComponent(node)}`,
      { filter },
    );
    const all = new Map<string, Set<string>>();
    for (const { Service, Tags } of Object.values(onNode?.Services ?? {})) {
      all.set(Service, new Set([...(all.get(Service) ?? []), ...(Tags ?? [])]));
    }
    return Object.fromEntries([...all].map(([name, tags]) => [name, [...tags]]));
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
