import { aggregateStatus, type HealthEntry } from '../api/shapes/catalog.ts';
import type { Explanation } from '../api/shapes/explain.ts';
import { CommandExit, type CommandIo } from './command.ts';
import type { HttpApi } from './http-api.ts';
import { EXIT_CODES, NO_INSTANCE, noInstanceText } from './no-instance.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, withApi, withClientFlags } from './program.ts';
import { table } from './table.ts';

interface ResolveFlags extends ClientFlags {
  readonly passing?: boolean;
  readonly tag?: string;
}

/** `lictor resolve NAME`: every instance of a service, its status and, when it is not healthy, why. */
export const resolveCommand = command({
  name: 'resolve',
  summary: 'Show the instances of a service and their health',
  program(io) {
    return withClientFlags(
      program(
        'lictor resolve',
        `Shows the instances of a service: address, node, status and, when one is not healthy, why. ${EXIT_CODES}`,
        ['lictor resolve web', 'lictor resolve web -passing', 'lictor resolve web -tag v1 -format json'],
        io,
      ),
    )
      .argument('<service>', 'name of the service')
      .option('--passing', 'only instances that are answered')
      .option('--tag <tag>', 'only instances with this tag')
      .action((service: string, flags: ResolveFlags) => withApi(flags, io, (api) => resolve(api, service, flags, io)));
  },
});

async function resolve(api: HttpApi, service: string, flags: ResolveFlags, io: CommandIo): Promise<void> {
  const query = { passing: flags.passing ? 'true' : undefined, tag: flags.tag };
  const entries = await api.get<HealthEntry[]>(`/v1/health/service/${encodeURIComponent(service)}`, query);
  const asJson = flags.format === 'json';
  if (asJson) io.stdout.write(json(entries));
  else if (entries.length > 0) {
    io.stdout.write(table(['Instance', 'Node', 'Address', 'Status', 'Why'], entries.map(row)));
  }
  if (entries.length === 0) throw new CommandExit(NO_INSTANCE, asJson ? '' : await whyNone(api, service));
}

async function whyNone(api: HttpApi, service: string): Promise<string> {
  try {
    const found = await api.get<Explanation>(`/v1/explain/service/${encodeURIComponent(service)}`);
    if (found.Instances.length === 0) return noInstanceText(found);
    return `no instance of ${service} fits the flags, of ${found.Instances.length}; 'lictor explain ${service}' says why`;
  } catch {
    // An agent of Consul's explains nothing.
    return `no instance of ${service}; 'lictor catalog services' lists what is registered`;
  }
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
    failing
      ? `${failing.Name}: ${(failing.Output || failing.Notes || 'no output yet').split('\n')[0]!.slice(0, 100)}`
      : '',
  ];
}
