import { errorText } from '../core/errors.ts';
import { CommandExit, type CommandIo } from './command.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, withApi, withClientFlags } from './program.ts';

/** `lictor join`: makes the agent take up contact with others. */
export const joinCommand = command({
  name: 'join',
  summary: 'Make the agent join other agents',
  program(io) {
    return withClientFlags(
      program(
        'lictor join',
        'Makes the agent take up contact with agents at these addresses; one that answers is enough.',
        ['lictor join 10.0.0.5', 'lictor join 10.0.0.5 10.0.0.6:8301'],
        io,
      ),
    )
      .argument('<addresses...>', 'host, or host:port')
      .option('--wan', 'join servers of other datacenters')
      .action((addresses: string[], flags: ClientFlags & { readonly wan?: boolean }) => join(addresses, flags, io));
  },
});

async function join(
  addresses: readonly string[],
  flags: ClientFlags & { readonly wan?: boolean },
  io: CommandIo,
): Promise<void> {
  const joined: string[] = [];
  await withApi(flags, io, async (api) => {
    for (const address of addresses) {
      try {
        const query = { wan: flags.wan ? '1' : undefined };
        await api.put(`/v1/agent/join/${encodeURIComponent(address)}`, { query });
        joined.push(address);
      } catch (error) {
        io.stderr.write(`Error joining address '${address}': ${errorText(error)}\n`);
        if (io.signal.aborted) break;
      }
    }
  });
  if (joined.length === 0) throw new CommandExit(1, 'Failed to join any nodes.');
  const text = `Successfully joined cluster by contacting ${joined.length} nodes.\n`;
  io.stdout.write(flags.format === 'json' ? json({ Joined: joined }) : text);
}
