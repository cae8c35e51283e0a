import { json } from './output.ts';
import { type ClientFlags, command, program, withApi, withClientFlags } from './program.ts';

/** `lictor leave`: the agent takes its node out of the catalog and ends. */
export const leaveCommand = command({
  name: 'leave',
  summary: 'Make the agent leave in good order and end',
  program(io) {
    return withClientFlags(
      program(
        'lictor leave',
        'Makes the agent leave in good order: its node and services leave the catalog, and its process ends. A server that runs its etcd is taken out of the cluster; it is refused when the others would have no quorum.',
        ['lictor leave', 'lictor leave -http-addr 10.0.0.5:8500'],
        io,
      ),
    ).action(async (flags: ClientFlags) => {
      await withApi(flags, io, (api) => api.put('/v1/agent/leave'));
      io.stdout.write(flags.format === 'json' ? json({ Left: true }) : 'Graceful leave complete\n');
    });
  },
});
