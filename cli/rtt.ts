import { type CoordinateEntry, type DatacenterCoordinates, roundTripSeconds } from '../api/shapes/coordinate.ts';
import { AppError } from '../core/errors.ts';
import type { CommandIo } from './command.ts';
import type { HttpApi } from './http-api.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, withApi, withClientFlags } from './program.ts';

interface RttFlags extends ClientFlags {
  wan?: boolean;
}

/** What can be compared: coordinates of one pool, by the name under which a node is asked for. */
interface Pool {
  readonly name: 'LAN' | 'WAN';
  readonly entries: readonly { readonly node: string; readonly area: string; readonly entry: CoordinateEntry }[];
}

/** `lictor rtt`: the estimated round trip between two nodes. */
export const rttCommand = command({
  name: 'rtt',
  summary: 'Estimate the network round trip between nodes',
  program(io) {
    return withClientFlags(
      program(
        'lictor rtt',
        'Estimates the network round trip between two nodes from their network coordinates.',
        ['lictor rtt node1 node2', 'lictor rtt node2', 'lictor rtt -wan node1.dc1 node2.dc2'],
        io,
      )
        .argument('<node1>', 'name of a node')
        .argument('[node2]', 'name of another; default: the node of the agent that is asked')
        .option('--wan', 'use the coordinates of servers across datacenters; names are node.datacenter'),
    ).action((first: string, second: string | undefined, flags: RttFlags) => estimate(first, second, flags, io));
  },
});

async function estimate(first: string, second: string | undefined, flags: RttFlags, io: CommandIo): Promise<void> {
  const found = await withApi(flags, io, async (api) => {
    const pool = flags.wan ? await wide(api) : await local(api);
    if (second !== undefined) return between(pool, first, second);
    return between(pool, await ownName(api, flags.wan === true), first);
  });
  const { pool, from, to, seconds } = found;
  const text = `Estimated ${from} <-> ${to} rtt: ${(seconds * 1000).toFixed(3)} ms (using ${pool} coordinates)\n`;
  io.stdout.write(flags.format === 'json' ? json({ From: from, To: to, Pool: pool, Seconds: seconds }) : text);
}

async function ownName(api: HttpApi, wan: boolean): Promise<string> {
  const { Config } = await api.get<{ Config: { NodeName: string; Datacenter: string } }>('/v1/agent/self');
  return wan ? `${Config.NodeName}.${Config.Datacenter}` : Config.NodeName;
}

async function local(api: HttpApi): Promise<Pool> {
  const entries = await api.get<CoordinateEntry[]>('/v1/coordinate/nodes');
  return { name: 'LAN', entries: entries.map((entry) => ({ node: entry.Node, area: entry.Segment, entry })) };
}

async function wide(api: HttpApi): Promise<Pool> {
  const datacenters = await api.get<DatacenterCoordinates[]>('/v1/coordinate/datacenters');
  const entries = datacenters.flatMap(({ Datacenter, AreaID, Coordinates }) =>
    Coordinates.map((entry) => {
      const node = entry.Node.endsWith(`.${Datacenter}`) ? entry.Node : `${entry.Node}.${Datacenter}`;
      return { node, area: AreaID, entry };
    }),
  );
  return { name: 'WAN', entries };
}

function between(pool: Pool, from: string, to: string): { pool: string; from: string; to: string; seconds: number } {
  const of = (name: string) => {
    const found = pool.entries.filter(({ node }) => node.toLowerCase() === name.toLowerCase());
    if (found.length > 0) return found;
    throw new AppError(
      'notFound',
      `no ${pool.name} coordinate is known of node "${name}"; 'lictor members' lists nodes`,
    );
  };
  const others = of(to);
  for (const one of of(from)) {
    const other = others.find(({ area }) => area === one.area);
    if (other) return { pool: pool.name, from, to, seconds: roundTripSeconds(one.entry.Coord, other.entry.Coord) };
  }
  throw new AppError(
    'notFound',
    `${from} and ${to} have no ${pool.name} area in common, so nothing is known between them`,
  );
}
