import type { ExplainedInstance, ExplainedReason, Explanation } from '../api/shapes/explain.ts';
import { CommandExit, type CommandIo } from './command.ts';
import { EXIT_CODES, NO_INSTANCE, noInstanceText } from './no-instance.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, repeated, withApi, withClientFlags } from './program.ts';
import { table } from './table.ts';

interface ExplainFlags extends ClientFlags {
  readonly tag?: string[];
  readonly filter?: string;
}

/** `lictor explain SERVICE`: which instances are answered, and what keeps the others back. */
export const explainCommand = command({
  name: 'explain',
  summary: 'Show why the instances of a service are answered, or are not',
  program(io) {
    return withClientFlags(
      program(
        'lictor explain',
        `Shows for each instance of a service whether DNS answers with it and whether ?passing shows it, and what keeps it back: the check with its output and since when, maintenance, a silent agent, or the tag or filter given. Of a service without instances it says why there is none, where the server knows it; of an unknown name which names are near, and other namespaces that have it. ${EXIT_CODES}`,
        ['lictor explain web', 'lictor explain web -tag v1 -namespace team', 'lictor explain web -format json'],
        io,
      ),
    )
      .argument('<service>', 'name of the service')
      .option('--tag <tag>', 'as if asked with this tag; may be repeated', repeated)
      .option('--filter <expression>', 'as if asked with this filter')
      .action((service: string, flags: ExplainFlags) => explain(service, flags, io));
  },
});

async function explain(service: string, flags: ExplainFlags, io: CommandIo): Promise<void> {
  const { tag, filter } = flags;
  const found = await withApi(flags, io, (api) =>
    api.get<Explanation>(`/v1/explain/service/${encodeURIComponent(service)}`, { tag, filter }),
  );
  if (flags.format === 'json') io.stdout.write(json(found));
  else if (found.Instances.length > 0) io.stdout.write(pretty(found));
  if (found.Instances.length === 0) {
    throw new CommandExit(NO_INSTANCE, flags.format === 'json' ? '' : noInstanceText(found));
  }
}

function pretty({ Instances, OtherNamespaces, Service }: Explanation): string {
  const rows = Instances.flatMap(rowsOf);
  const others = OtherNamespaces.length === 0 ? '' : `\n${Service} is also in: ${OtherNamespaces.join(', ')}\n`;
  return table(['Instance', 'Node', 'Address', 'DNS', 'Passing', 'Why', 'Since'], rows) + others;
}

/** One line for the instance and its first reason, one more for each other reason. */
function rowsOf({ ServiceID, Node, Address, Port, DNS, Passing, Reasons }: ExplainedInstance): string[][] {
  const host = Address.includes(':') ? `[${Address}]` : Address;
  const own = [ServiceID, Node, `${host}:${Port}`, DNS ? 'yes' : 'no', Passing ? 'yes' : 'no'];
  const [first, ...more] = Reasons;
  return [[...own, ...(first ? why(first) : ['', ''])], ...more.map((reason) => ['', '', '', '', '', ...why(reason)])];
}

function why({ Text, Since = '' }: ExplainedReason): [string, string] {
  return [Text.slice(0, 120), Since];
}
