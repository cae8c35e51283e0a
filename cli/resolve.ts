import { aggregateStatus, type HealthEntry } from '../api/shapes/catalog.ts';
import { AppError } from '../core/errors.ts';
import type { CommandIo } from './command.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, withApi, withClientFlags } from './program.ts';
import { table } from './table.ts';

/** `lictor resolve NAME`: every instance of a service, its status and, when it is not healthy, why. */
export const resolveCommand = command({
  name: 'resolve',
  summary: 'Show the instances of a service and their health',
  program(io) {
    return withClientFlags(
      program(
        'lictor resolve',
        'Shows the instances of a service: address, node, status and, when one is not healthy, why.',
        ['lictor resolve web', 'lictor resolve web -passing', 'lictor resolve web -tag v1 -format json'],
        io,
      ),
    )
      .argument('<service>', 'name of the service')
      .option('--passing', 'only instances that are answered')
      .option('--tag <tag>', 'only instances with this tag')
      .action((service: string, flags: ClientFlags & { passing?: boolean; tag?: string }) =>
        resolve(service, flags, io),
      );
  },
});

async function resolve(
  service: string,
  flags: ClientFlags & { passing?: boolean; tag?: string },
  io: CommandIo,
): Promise<void> {
  const entries = await withApi(flags, io, (api) =>
    api.get<HealthEntry[]>(`/v1/health/service/${encodeURIComponent(service)}`, {
      passing: flags.passing ? 'true' : undefined,
      tag: flags.tag,
    }),
  );
  if (flags.format === 'json') {
    io.stdout.write(json(entries));
    return;
  }
  if (entries.length === 0) {
    throw new AppError('notFound', `no instance of ${service}; 'lictor catalog services' lists what is registered`);
  }
  io.stdout.write(table(['Instance', 'Node', 'Address', 'Status', 'Why'], entries.map(row)));
}

function row(entry: HealthEntry): string[] {
  const status = aggregateStatus(entry.Checks);
  const failing = entry.Checks.find((check) => check.Status === status && status !== 'passing');
  const address = entry.Service.Address || entry.Node.Address;
  const host = address.includes(':') ? `[${address}]` : address;
  return [
    entry.Service.ID,
    entry.Node.Node,
    `${host}:${entry.Service.Port}`,
    status,
    failing ? `${failing.Name}: ${(failing.Output || failing.Notes).split('\n')[0]!.slice(0, 100)}` : '',
  ];
}
