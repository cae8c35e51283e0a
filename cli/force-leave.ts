import { AppError, errorText } from '../core/errors.ts';
import type { CommandIo } from './command.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, withApi, withClientFlags } from './program.ts';

interface ForceLeaveFlags extends ClientFlags {
  readonly prune?: boolean;
  readonly wan?: boolean;
}

/** `lictor force-leave`: a failed agent counts as one that has left. */
export const forceLeaveCommand = command({
  name: 'force-leave',
  summary: 'Take a failed agent out of the catalog',
  program(io) {
    return withClientFlags(
      program(
        'lictor force-leave',
        'Makes a failed agent count as one that has left: its node leaves the catalog. An agent that is alive stays.',
        ['lictor force-leave node-3', 'lictor force-leave -prune node-3'],
        io,
      ),
    )
      .argument('<node>', 'name of the node')
      .option('--prune', 'forget the agent at once')
      .option('--wan', 'a server of another datacenter, named NODE.DATACENTER')
      .action((node: string, flags: ForceLeaveFlags) => forceLeave(node, flags, io));
  },
});

async function forceLeave(node: string, flags: ForceLeaveFlags, io: CommandIo): Promise<void> {
  const query = { prune: flags.prune ? '1' : undefined, wan: flags.wan ? '1' : undefined };
  try {
    await withApi(flags, io, (api) => api.put(`/v1/agent/force-leave/${encodeURIComponent(node)}`, { query }));
  } catch (cause) {
    const code = cause instanceof AppError ? cause.code : 'unavailable';
    throw new AppError(code, `Error force leaving: ${errorText(cause)}`, { cause });
  }
  // Consul says nothing.
  if (flags.format === 'json') io.stdout.write(json({ ForceLeft: node }));
}
