import type { CommandIo } from './command.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, withApi, withClientFlags } from './program.ts';
import { table } from './table.ts';

/** An element of /v1/agent/members; `Status` is serf's number (0 none, 1 alive, 2 leaving, 3 left, 4 failed). */
interface Member {
  Name: string;
  Addr: string;
  Port: number;
  Status: number;
  Tags: Record<string, string>;
}

const STATUS = ['none', 'alive', 'leaving', 'left', 'failed'];

/** `lictor members`: the agents that this agent knows. */
export const membersCommand = command({
  name: 'members',
  summary: 'List the agents that this agent knows',
  program(io) {
    return withClientFlags(
      program(
        'lictor members',
        'Lists the agents that this agent knows.',
        ['lictor members', 'lictor members -format json'],
        io,
      ),
    ).action((flags: ClientFlags) => members(flags, io));
  },
});

async function members(flags: ClientFlags, io: CommandIo): Promise<void> {
  const found = await withApi(flags, io, (api) => api.get<Member[]>('/v1/agent/members'));
  const rows = found.map((member) => [
    member.Name,
    `${member.Addr.includes(':') ? `[${member.Addr}]` : member.Addr}:${member.Port}`,
    STATUS[member.Status] ?? String(member.Status),
    member.Tags.role === 'consul' ? 'server' : 'client',
    member.Tags.build ?? '',
    member.Tags.dc ?? '',
  ]);
  io.stdout.write(
    flags.format === 'json' ? json(found) : table(['Node', 'Address', 'Status', 'Type', 'Build', 'DC'], rows),
  );
}
