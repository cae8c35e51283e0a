import { AppError } from '../core/errors.ts';
import type { CommandIo } from './command.ts';
import type { HttpApi } from './http-api.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, withApi, withClientFlags } from './program.ts';

interface MaintFlags extends ClientFlags {
  readonly enable?: boolean;
  readonly disable?: boolean;
  readonly reason?: string;
  readonly service?: string;
}

interface Check {
  readonly CheckID: string;
  readonly Node: string;
  readonly ServiceID: string;
  readonly Notes: string;
}

/** `lictor maint`: takes the node or one of its services out of service, and shows what is. */
export const maintCommand = command({
  name: 'maint',
  summary: 'Take this node or one of its services out of service, or show what is',
  program(io) {
    return withClientFlags(
      program(
        'lictor maint',
        "Puts the agent's node, or one of its services, into maintenance: it is critical until that is ended. Without -enable and -disable it shows what is in maintenance.",
        ['lictor maint', 'lictor maint -enable -reason "new disk"', 'lictor maint -disable -service web-1'],
        io,
      )
        .option('--enable', 'begin maintenance')
        .option('--disable', 'end maintenance')
        .option('--reason <text>', 'why, for those who look')
        .option('--service <id>', 'a service of this agent by its id, instead of the whole node'),
    ).action((flags: MaintFlags) => maint(flags, io));
  },
});

async function maint(flags: MaintFlags, io: CommandIo): Promise<void> {
  if (flags.enable && flags.disable) throw wrong('-enable and -disable exclude each other; give one of them');
  if (!flags.enable && !flags.disable) {
    if (flags.reason || flags.service) throw wrong('-reason and -service need -enable or -disable');
    return show(flags, io);
  }
  const reason = flags.enable && flags.reason ? { reason: flags.reason } : {};
  const query = { enable: String(Boolean(flags.enable)), ...reason };
  const path = flags.service ? `service/maintenance/${encodeURIComponent(flags.service)}` : 'maintenance';
  await withApi(flags, io, async (api) => {
    try {
      await api.send('PUT', `/v1/agent/${path}`, { query });
    } catch (error) {
      if (flags.service && error instanceof AppError && error.code === 'notFound')
        await ownedElsewhere(api, flags.service);
      throw error;
    }
  });
  const state = flags.enable ? 'enabled' : 'disabled';
  const what = flags.service ? 'Service' : 'Node';
  const whom = flags.service ? ` for ${JSON.stringify(flags.service)}` : '';
  const shown = { maintenance: state, service: flags.service ?? '' };
  io.stdout.write(flags.format === 'json' ? json(shown) : `${what} maintenance is now ${state}${whom}\n`);
}

/** @throws AppError `notOwner` when the catalog has the instance on the agent's node, but the agent has not registered it. */
async function ownedElsewhere(api: HttpApi, id: string): Promise<void> {
  const found = await onAgentsNode(api).catch(() => []);
  if (!found.some(({ ID }) => ID === id)) return;
  throw new AppError(
    'notOwner',
    `${id} is in the catalog, but not registered with this agent: a manifest declares it, or another program has registered it; take it out there (of a Service's manifest: remove it from spec.instances)`,
  );
}

async function onAgentsNode(api: HttpApi): Promise<readonly { readonly ID: string }[]> {
  const { Config } = await api.get<{ Config: { NodeName: string } }>('/v1/agent/self');
  const path = `/v1/catalog/node-services/${encodeURIComponent(Config.NodeName)}`;
  return (await api.get<{ Services: { ID: string }[] }>(path)).Services;
}

async function show(flags: MaintFlags, io: CommandIo): Promise<void> {
  const checks = await withApi(flags, io, (api) => api.get<Record<string, Check>>('/v1/agent/checks'));
  const found = Object.values(checks).filter(
    ({ CheckID }) => CheckID === '_node_maintenance' || CheckID.startsWith('_service_maintenance:'),
  );
  const text = found.map(({ CheckID, Node, ServiceID, Notes }) =>
    CheckID === '_node_maintenance'
      ? `Node:\n  Name:   ${Node}\n  Reason: ${Notes}\n\n`
      : `Service:\n  ID:     ${ServiceID}\n  Reason: ${Notes}\n\n`,
  );
  io.stdout.write(flags.format === 'json' ? json(found) : text.join(''));
}

function wrong(text: string): AppError {
  return new AppError('badRequest', text);
}
