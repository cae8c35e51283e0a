import type { CommandIo } from './command.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, withApi, withClientFlags } from './program.ts';

/** `lictor reload`: the agent reads its configuration files anew. */
export const reloadCommand = command({
  name: 'reload',
  summary: 'Make the agent read its configuration files anew',
  program(io) {
    return withClientFlags(
      program(
        'lictor reload',
        'Makes the agent read its configuration files anew, as SIGHUP does: log level, services, checks, node_meta, dns_config, watches and limits change at once, check states stay. With a wrong file nothing changes, and the error is shown.',
        ['lictor reload', 'lictor reload -http-addr 10.0.0.5:8500'],
        io,
      ),
    ).action((flags: ClientFlags) => reload(flags, io));
  },
});

async function reload(flags: ClientFlags, io: CommandIo): Promise<void> {
  await withApi(flags, io, (api) => api.send('PUT', '/v1/agent/reload'));
  io.stdout.write(flags.format === 'json' ? json({ reloaded: true }) : 'Configuration reload triggered\n');
}
