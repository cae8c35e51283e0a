import type { Command as Program } from 'commander';
import { AppError } from '../../core/errors.ts';
import type { CommandIo } from '../command.ts';
import { json } from '../output.ts';
import { type ClientFlags, subProgram, withApi, withClientFlags } from '../program.ts';
import { table } from '../table.ts';

/** Counts of one datacenter in /v1/operator/usage. */
interface Usage {
  Services: number;
  ServiceInstances: number;
  ConnectServiceInstances: Record<string, number> | null;
  BillableServiceInstances: number;
}

interface UsageFlags extends ClientFlags {
  onlyBillable?: boolean;
  onlyConnect?: boolean;
  allDatacenters?: boolean;
}

/** `operator usage instances`. */
export function addUsage(parent: Program, io: CommandIo): void {
  const example = 'lictor operator usage instances';
  const group = subProgram(parent, 'usage', 'How much is registered.', [example], io);
  withClientFlags(
    subProgram(group, 'instances', 'Counts services and instances.', [example, `${example} -all-datacenters`], io),
  )
    .option('--only-billable', 'only instances that are no part of the mesh or of the servers')
    .option('--only-connect', 'only instances of the mesh')
    .option('--all-datacenters', 'those of every datacenter')
    .action((flags: UsageFlags) => instances(flags, io));
}

async function instances(flags: UsageFlags, io: CommandIo): Promise<void> {
  if (flags.onlyBillable && flags.onlyConnect) {
    throw new AppError('config', 'Cannot specify both -only-billable and -only-connect flags');
  }
  const query = { global: flags.allDatacenters ? '' : undefined };
  const found = await withApi(flags, io, (api) =>
    api.get<{ Usage: Record<string, Usage> }>('/v1/operator/usage', query),
  );
  if (flags.format === 'json') {
    io.stdout.write(json(found.Usage));
    return;
  }
  const usages = Object.entries(found.Usage).sort(([a], [b]) => (a < b ? -1 : 1));
  const parts = [...(flags.onlyConnect ? [] : [billable(usages)]), ...(flags.onlyBillable ? [] : [connect(usages)])];
  io.stdout.write(parts.join('\n'));
}

function billable(usages: readonly [string, Usage][]): string {
  const total = usages.reduce((sum, [, usage]) => sum + usage.BillableServiceInstances, 0);
  const each = usages.map(([name, usage]) => `${name} Billable Service Instances: ${usage.BillableServiceInstances}\n`);
  const rows = usages.map(([name, usage]) => [name, String(usage.Services), String(usage.BillableServiceInstances)]);
  return `Billable Service Instances Total: ${total}
${each.join('')}
Billable Services
${table(['Datacenter', 'Services', 'Service instances'], rows)}`;
}

function connect(usages: readonly [string, Usage][]): string {
  const rows = usages.flatMap(([name, usage]) =>
    Object.entries(usage.ConnectServiceInstances ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([type, amount]) => [name, type, String(amount)]),
  );
  return `Connect Services\n${table(['Datacenter', 'Type', 'Service instances'], rows)}`;
}
