import type { CommandIo } from './command.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, withApi, withClientFlags } from './program.ts';
import { readValue } from './values.ts';

interface EventFlags extends ClientFlags {
  name: string;
  node?: string;
  service?: string;
  tag?: string;
}

/** `lictor event`: fires a user event. */
export const eventCommand = command({
  name: 'event',
  summary: 'Fire a user event',
  program(io) {
    return withClientFlags(
      program(
        'lictor event',
        'Fires a user event, with an optional payload: the text itself, @FILE, or - for standard input.',
        [
          'lictor event -name deploy 1.4.2',
          'lictor event -name restart -service web -tag blue',
          'lictor event -name deploy -node "^web-" @notes.txt',
        ],
        io,
      )
        .argument('[payload]', 'what the event carries; name and payload together are at most 512 bytes')
        .requiredOption('--name <name>', 'name of the event')
        .option('--node <regexp>', 'only for nodes whose name fits')
        .option('--service <regexp>', 'only for nodes with a service that fits')
        .option('--tag <regexp>', 'only for such services with a tag that fits; needs -service'),
    ).action((payload: string | undefined, flags: EventFlags) => fire(payload, flags, io));
  },
});

async function fire(payload: string | undefined, flags: EventFlags, io: CommandIo): Promise<void> {
  const body = payload === undefined ? undefined : await readValue(payload, io);
  const { node, service, tag } = flags;
  const fired = await withApi(flags, io, (api) =>
    api.put<{ ID: string }>(`/v1/event/fire/${encodeURIComponent(flags.name)}`, {
      query: { node, service, tag },
      body,
    }),
  );
  io.stdout.write(flags.format === 'json' ? json(fired) : `Event ID: ${fired.ID}\n`);
}
