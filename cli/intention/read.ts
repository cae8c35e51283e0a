import type { Command as Program } from 'commander';
import type { Intention } from '../../api/shapes/intention.ts';
import { AppError } from '../../core/errors.ts';
import type { CommandIo } from '../command.ts';
import { json } from '../output.ts';
import { type ClientFlags, subProgram, withApi, withClientFlags } from '../program.ts';
import { table } from '../table.ts';
import { EXACT, INTENTIONS, intentionDetails, intentionText, sourceOf } from './shown.ts';

const ENDS = ['the service that calls, or alone the id of an intention', 'the service that is called'] as const;

/** `intention get`: by its two services or by its id. */
export function addGet(parent: Program, io: CommandIo): void {
  const examples = ['lictor intention get web db', 'lictor intention get 8bce6a9d-2f0f-4c0f-9d2c-8a0a3c7e1d10'];
  withClientFlags(subProgram(parent, 'get', 'Shows an intention.', examples, io))
    .argument('<source>', ENDS[0])
    .argument('[destination]', ENDS[1])
    .action(async (source: string, destination: string | undefined, flags: ClientFlags) => {
      const { path, query } = place(source, destination);
      const answer = await withApi(flags, io, (api) => api.send('GET', path, { query, accept: [404] }));
      if (answer.status === 404) throw notFound(source, destination);
      const found = answer.json<Intention>();
      io.stdout.write(flags.format === 'json' ? json(found) : intentionDetails(found));
    });
}

/** `intention delete`: by its two services or by its id. */
export function addDelete(parent: Program, io: CommandIo): void {
  const examples = ['lictor intention delete web db'];
  withClientFlags(subProgram(parent, 'delete', 'Deletes an intention.', examples, io))
    .argument('<source>', ENDS[0])
    .argument('[destination]', ENDS[1])
    .action(async (source: string, destination: string | undefined, flags: ClientFlags) => {
      const { path, query } = place(source, destination);
      await withApi(flags, io, (api) => api.delete(path, { query }));
      const shown = destination === undefined ? { ID: source } : { Source: source, Destination: destination };
      io.stdout.write(flags.format === 'json' ? json(shown) : 'Intention deleted.\n');
    });
}

/** `intention list`. */
export function addList(parent: Program, io: CommandIo): void {
  const examples = ['lictor intention list', `lictor intention list -filter 'DestinationName == "db"'`];
  withClientFlags(subProgram(parent, 'list', 'Lists all intentions, the ones that decide first.', examples, io))
    .option('--filter <expression>', 'only intentions for which this expression holds')
    .action(async (flags: ClientFlags & { readonly filter?: string }) => {
      const { filter } = flags;
      const found = await withApi(flags, io, (api) => api.get<Intention[]>(INTENTIONS, { filter }));
      const rows = found.map((one) => [
        one.ID ?? '',
        sourceOf(one),
        one.Action ?? intentionText(one).replace(/^.*\((.*)\)$/, '$1'),
        one.DestinationName,
        String(one.Precedence),
      ]);
      const header = ['ID', 'Source', 'Action', 'Destination', 'Precedence'];
      io.stdout.write(flags.format === 'json' ? json(found) : rows.length > 0 ? table(header, rows) : '');
    });
}

interface MatchFlags extends ClientFlags {
  readonly source?: boolean;
  readonly destination?: boolean;
}

/** `intention match`: those that concern one service, the ones that decide first. */
export function addMatch(parent: Program, io: CommandIo): void {
  const examples = ['lictor intention match db', 'lictor intention match -source web'];
  const text = 'Shows the intentions that concern a service as destination, or with -source as source, in their order.';
  withClientFlags(subProgram(parent, 'match', text, examples, io))
    .argument('<service>')
    .option('--source', 'it is the one that calls')
    .option('--destination', 'it is the one that is called (the default)')
    .action(async (service: string, flags: MatchFlags) => {
      if (flags.source && flags.destination) {
        throw new AppError('config', 'Only one of -source or -destination may be specified.');
      }
      const query = { by: flags.source ? 'source' : 'destination', name: service };
      const found = await withApi(flags, io, (api) =>
        api.get<Record<string, Intention[]>>(`${INTENTIONS}/match`, query),
      );
      const matches = found[service] ?? [];
      io.stdout.write(
        flags.format === 'json' ? json(matches) : matches.map((one) => `${intentionText(one)}\n`).join(''),
      );
    });
}

function place(source: string, destination: string | undefined): { path: string; query: Record<string, string> } {
  return destination === undefined
    ? { path: `${INTENTIONS}/${encodeURIComponent(source)}`, query: {} }
    : { path: EXACT, query: { source, destination } };
}

function notFound(source: string, destination: string | undefined): AppError {
  const what = destination === undefined ? `with the id ${source}` : `${source} => ${destination}`;
  return new AppError('notFound', `there is no intention ${what}; 'lictor intention list' shows all`);
}
