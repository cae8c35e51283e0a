import type { Command as Program } from 'commander';
import { CommandExit, type CommandIo } from '../command.ts';
import { json } from '../output.ts';
import { type ClientFlags, subProgram, withApi, withClientFlags } from '../program.ts';
import { INTENTIONS } from './shown.ts';

/** Consul's exit code for a connection that is refused; 1 is an error. */
const DENIED = 2;

/** `intention check`: prints and ends with whether a connection would be let in. */
export function addCheck(parent: Program, io: CommandIo): void {
  const examples = ['lictor intention check web db', 'lictor intention check web db && echo yes'];
  const text =
    'Whether one service may open a connection to another: exit code 0 when it is allowed, 2 when denied, 1 when that cannot be told. Intentions with permissions count as denying.';
  withClientFlags(subProgram(parent, 'check', text, examples, io))
    .argument('<source>', 'the service that calls')
    .argument('<destination>', 'the service that is called')
    .action(async (source: string, destination: string, flags: ClientFlags) => {
      const query = { source, destination, 'source-type': 'consul' };
      const answer = await withApi(flags, io, (api) => api.get<{ Allowed: boolean }>(`${INTENTIONS}/check`, query));
      const word = answer.Allowed ? 'Allowed' : 'Denied';
      io.stdout.write(flags.format === 'json' ? json(answer) : `${word}\n`);
      if (!answer.Allowed) throw new CommandExit(DENIED);
    });
}
