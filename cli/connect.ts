import { AppError } from '../core/errors.ts';
import type { CommandIo } from './command.ts';
import { addExpose } from './connect/expose.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, subProgram, withApi, withClientFlags } from './program.ts';
import { readFileValue } from './values.ts';

interface SetFlags extends ClientFlags {
  configFile: string;
  forceWithoutCrossSigning?: boolean;
}

const PATH = '/v1/connect/ca/configuration';

/** `lictor connect ca get-config|set-config` and `connect expose`. */
export const connectCommand = command({
  name: 'connect',
  summary: 'The certificate authority, and services behind ingress gateways',
  program(io) {
    const example = 'lictor connect ca get-config';
    const root = program('lictor connect', 'The service mesh.', [example], io);
    const ca = subProgram(root, 'ca', 'The certificate authority.', [example], io);
    withClientFlags(subProgram(ca, 'get-config', 'Shows the configuration as JSON.', [example], io)).action(
      async (flags: ClientFlags) => {
        io.stdout.write(json(await withApi(flags, io, (api) => api.get<object>(PATH))));
      },
    );
    withClientFlags(
      subProgram(
        ca,
        'set-config',
        'Changes the configuration; another key begins a new root, which the old one vouches for, and so does an unchanged configuration when the root has expired or soon will.',
        ['lictor connect ca set-config -config-file ca.json'],
        io,
      ),
    )
      .requiredOption('--config-file <path>', 'JSON file with Provider and Config, as get-config shows them')
      .option('--force-without-cross-signing', 'change the root even where the old one cannot vouch for the new one')
      .action((flags: SetFlags) => setConfig(flags, io));
    addExpose(root, io);
    return root;
  },
});

async function setConfig(flags: SetFlags, io: CommandIo): Promise<void> {
  let body = readFileValue(flags.configFile);
  if (flags.forceWithoutCrossSigning) {
    body = Buffer.from(JSON.stringify({ ...parsed(body, flags.configFile), ForceWithoutCrossSigning: true }));
  }
  await withApi(flags, io, (api) => api.put(PATH, { body }));
  io.stdout.write(flags.format === 'json' ? json({ updated: true }) : 'Configuration updated!\n');
}

function parsed(body: Buffer, file: string): object {
  try {
    const value: unknown = JSON.parse(body.toString());
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Said below.
  }
  throw new AppError('config', `${file} must hold one JSON object with Provider and Config`);
}
