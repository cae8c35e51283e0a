import { AppError } from '../core/errors.ts';
import { compileRegexp } from '../core/regexp.ts';
import { CommandExit, type CommandIo } from './command.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, withApi, withClientFlags } from './program.ts';
import { table } from './table.ts';

/** An element of /v1/agent/members; `Status` is serf's number (0 none, 1 alive, 2 leaving, 3 left, 4 failed). */
interface Member {
  readonly Name: string;
  readonly Addr: string;
  readonly Port: number;
  readonly Status: number;
  readonly Tags: Readonly<Record<string, string>>;
  readonly ProtocolCur?: number;
}

interface MembersFlags extends ClientFlags {
  readonly detailed?: boolean;
  readonly wan?: boolean;
  readonly status?: string;
  readonly segment?: string;
  readonly filter?: string;
}

const STATUS = ['none', 'alive', 'leaving', 'left', 'failed'];
/** Consul's exit code when no member matches. */
const NO_MEMBERS = 2;

/** `lictor members`: the agents that this agent knows. */
export const membersCommand = command({
  name: 'members',
  summary: 'List the agents that this agent knows',
  program(io) {
    return withClientFlags(
      program(
        'lictor members',
        'Lists the agents that this agent knows; ends with 2 when none matches.',
        ['lictor members', 'lictor members -detailed', "lictor members -status='alive|left'", 'lictor members -wan'],
        io,
      ),
    )
      .option('--detailed', 'show the tags of each')
      .option('--wan', 'the servers of all datacenters')
      .option('--status <regexp>', 'only members whose status matches')
      .option('--segment <name>', 'network segment; there is one, and _all stands for all')
      .option('--filter <expression>', 'only members for which this expression holds')
      .action((flags: MembersFlags) => members(flags, io));
  },
});

async function members(flags: MembersFlags, io: CommandIo): Promise<void> {
  const wanted = statusFilter(flags.status);
  const query = { wan: flags.wan ? '' : undefined, segment: flags.segment, filter: flags.filter };
  const all = await withApi(flags, io, (api) => api.get<Member[]>('/v1/agent/members', query));
  const found = all.filter((member) => wanted(statusOf(member)));
  if (found.length === 0) throw new CommandExit(NO_MEMBERS, 'no member matches');
  const rows = [...found].sort((a, b) => compare(segmentOf(a), segmentOf(b)) || compare(a.Name, b.Name));
  if (flags.format === 'json') io.stdout.write(json(found));
  else if (flags.detailed) {
    io.stdout.write(
      table(
        ['Node', 'Address', 'Status', 'Tags'],
        rows.map((one) => [...basics(one), tagsText(one.Tags)]),
      ),
    );
  } else {
    const header = ['Node', 'Address', 'Status', 'Type', 'Build', 'Protocol', 'DC', 'Partition', 'Segment'];
    io.stdout.write(
      table(
        header,
        rows.map((one) => [...basics(one), ...standard(one)]),
      ),
    );
  }
}

/** @throws AppError `config` for what is no regular expression. */
function statusFilter(pattern: string | undefined): (status: string) => boolean {
  if (pattern === undefined) return () => true;
  try {
    const regexp = compileRegexp(pattern);
    return (status) => regexp.test(status);
  } catch (cause) {
    throw new AppError('config', `-status=${pattern}: ${(cause as Error).message}`, { cause });
  }
}

function basics(member: Member): string[] {
  const host = member.Addr.includes(':') ? `[${member.Addr}]` : member.Addr;
  return [member.Name, `${host}:${member.Port}`, statusOf(member)];
}

function standard({ Tags, ProtocolCur, ...member }: Member): string[] {
  const type = Tags.role === 'consul' ? 'server' : Tags.role === 'node' || !Tags.role ? 'client' : 'unknown';
  const build = (Tags.build ?? '').split(':')[0]!;
  return [type, build, String(ProtocolCur ?? ''), Tags.dc ?? '', 'default', segmentOf({ Tags, ...member })];
}

function statusOf({ Status }: Member): string {
  return STATUS[Status] ?? String(Status);
}

function segmentOf({ Tags }: Pick<Member, 'Tags'>): string {
  return Tags.segment || (Tags.role === 'consul' ? '<all>' : '<default>');
}

function tagsText(tags: Readonly<Record<string, string>>): string {
  return Object.keys(tags)
    .sort()
    .map((name) => `${name}=${tags[name]}`)
    .join(',');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
