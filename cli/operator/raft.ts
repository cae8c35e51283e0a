import type { Command as Program } from 'commander';
import { AppError } from '../../core/errors.ts';
import type { CommandIo } from '../command.ts';
import { json } from '../output.ts';
import { type ClientFlags, subProgram, withApi, withClientFlags } from '../program.ts';
import { table } from '../table.ts';

/** A server of /v1/operator/raft/configuration. */
interface RaftServer {
  ID: string;
  Node: string;
  Address: string;
  Leader: boolean;
  ProtocolVersion: string;
  Voter: boolean;
  LastIndex?: number;
}

interface PeerFlags extends ClientFlags {
  id?: string;
  address?: string;
}

/** `operator raft list-peers|remove-peer|transfer-leader`. */
export function addRaft(parent: Program, io: CommandIo): void {
  const example = 'lictor operator raft list-peers';
  const raft = subProgram(parent, 'raft', 'The servers that keep the catalog.', [example], io);
  withClientFlags(subProgram(raft, 'list-peers', 'Lists the servers, and which one leads.', [example], io)).action(
    (flags: ClientFlags) => listPeers(flags, io),
  );
  withClientFlags(
    subProgram(
      raft,
      'remove-peer',
      'Removes a server that will not come back.',
      [
        'lictor operator raft remove-peer -id e35bde83-4e9c-434f-a6ef-453f44ee21ea',
        'lictor operator raft remove-peer -address 10.0.0.5:8300',
      ],
      io,
    ),
  )
    .option('--id <id>', 'its id, as list-peers shows it')
    .option('--address <address>', 'its address, as list-peers shows it')
    .action((flags: PeerFlags) => removePeer(flags, io));
  withClientFlags(
    subProgram(
      raft,
      'transfer-leader',
      'Hands the lead to another server.',
      ['lictor operator raft transfer-leader'],
      io,
    ),
  )
    .option('--id <id>', 'the server that shall lead (default: the servers choose)')
    .action((flags: PeerFlags) => transferLeader(flags, io));
}

async function listPeers(flags: ClientFlags, io: CommandIo): Promise<void> {
  const found = await withApi(flags, io, (api) =>
    api.get<{ Servers: RaftServer[] }>('/v1/operator/raft/configuration'),
  );
  if (flags.format === 'json') {
    io.stdout.write(json(found));
    return;
  }
  const lead = found.Servers.find((server) => server.Leader)?.LastIndex ?? 0;
  const rows = found.Servers.map((server) => [
    server.Node,
    server.ID,
    server.Address,
    server.Leader ? 'leader' : 'follower',
    String(server.Voter),
    server.ProtocolVersion,
    String(server.LastIndex ?? 0),
    server.Leader ? '-' : `${Math.max(0, lead - (server.LastIndex ?? 0))} commits`,
  ]);
  const header = ['Node', 'ID', 'Address', 'State', 'Voter', 'RaftProtocol', 'Commit Index', 'Trails Leader By'];
  io.stdout.write(table(header, rows));
}

async function removePeer({ id, address, ...flags }: PeerFlags, io: CommandIo): Promise<void> {
  if ((id === undefined) === (address === undefined)) throw new AppError('config', 'give either -id or -address');
  await withApi(flags, io, (api) => api.delete('/v1/operator/raft/peer', { query: { id, address } }));
  const what = id === undefined ? { address } : { id };
  io.stdout.write(
    flags.format === 'json'
      ? json({ removed: what })
      : `Removed peer with ${id === undefined ? 'address' : 'id'} "${id ?? address}"\n`,
  );
}

async function transferLeader({ id, ...flags }: PeerFlags, io: CommandIo): Promise<void> {
  const answer = await withApi(flags, io, (api) =>
    api.post<{ Success: boolean }>('/v1/operator/raft/transfer-leader', { query: { id } }),
  );
  if (!answer?.Success) throw new AppError('unavailable', 'the lead was not transferred; list-peers shows who leads');
  io.stdout.write(flags.format === 'json' ? json(answer) : 'Success\n');
}
