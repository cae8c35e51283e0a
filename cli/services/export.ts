import type { Command as Program } from 'commander';
import { AppError } from '../../core/errors.ts';
import type { CommandIo } from '../command.ts';
import type { HttpApi } from '../http-api.ts';
import { json } from '../output.ts';
import { type ClientFlags, repeated, subProgram, withApi, withClientFlags } from '../program.ts';
import { table } from '../table.ts';

interface ExportFlags extends ClientFlags {
  readonly name: string;
  readonly consumerPeers: readonly string[];
}

interface Consumer {
  readonly Peer?: string;
}

interface ExportEntry {
  readonly Kind: 'exported-services';
  readonly Name: string;
  readonly Services?: readonly { readonly Name: string; readonly Consumers?: readonly Consumer[] | null }[] | null;
  readonly ModifyIndex?: number;
}

/** Consul's entry of what a cluster exports. */
const ENTRY = '/v1/config/exported-services/default';
/** Others may write the entry between our read and our write. */
const ATTEMPTS = 5;

/** `services export`: adds peers to those that may use a service. */
export function addExport(parent: Program, io: CommandIo): void {
  const examples = ['lictor services export -name=web -consumer-peers=east,west'];
  const text = 'Adds a service to those that are exported to peers, in the exported-services entry named default.';
  withClientFlags(subProgram(parent, 'export', text, examples, io))
    .requiredOption('--name <service>', 'the service')
    .requiredOption('--consumer-peers <peers>', 'names of peers, between commas; may be repeated', repeated)
    .action((flags: ExportFlags) => exportService(flags, io));
}

async function exportService(flags: ExportFlags, io: CommandIo): Promise<void> {
  const peers = flags.consumerPeers.flatMap((list) => list.split(',')).map((peer) => peer.trim());
  if (flags.name === '') throw new AppError('config', '-name must not be empty');
  if (peers.includes(''))
    throw new AppError('config', '-consumer-peers: write names of peers, with commas between them');
  await withApi(flags, io, async (api) => {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) if (await addOnce(api, flags.name, peers)) return;
    throw new AppError('conflict', 'the exported-services entry was changed by others all the time; try again');
  });
  const text = `Successfully exported service ${JSON.stringify(flags.name)} to cluster peers "${peers.join(',')}"\n`;
  io.stdout.write(flags.format === 'json' ? json({ Service: flags.name, Peers: peers }) : text);
}

async function addOnce(api: HttpApi, name: string, peers: readonly string[]): Promise<boolean> {
  const answer = await api.send('GET', ENTRY, { accept: [404] });
  const entry: ExportEntry =
    answer.status === 404 ? { Kind: 'exported-services', Name: 'default' } : answer.json<ExportEntry>();
  const query = { cas: String(entry.ModifyIndex ?? 0) };
  return api.put<boolean>('/v1/config', { json: withConsumers(entry, name, peers), query });
}

/** The entry with these peers among the consumers of the service; all others stay. */
export function withConsumers(entry: ExportEntry, name: string, peers: readonly string[]): ExportEntry {
  const services = entry.Services ?? [];
  const before = services.find((service) => service.Name === name)?.Consumers ?? [];
  const added = [...new Set(peers)].filter((peer) => !before.some((consumer) => consumer.Peer === peer));
  const service = { Name: name, Consumers: [...before, ...added.map((Peer) => ({ Peer }))] };
  const known = services.some((one) => one.Name === name);
  const all = known
    ? services.map((one) => (one.Name === name ? { ...one, ...service } : one))
    : [...services, service];
  return { ...entry, Services: all };
}

/** `services exported-services`: what is exported, wildcards resolved. */
export function addExportedServices(parent: Program, io: CommandIo): void {
  const examples = ['lictor services exported-services', 'lictor services exported-services -format json'];
  withClientFlags(
    subProgram(parent, 'exported-services', 'Lists the services that are exported, and to whom.', examples, io),
  ).action(async (flags: ClientFlags) => {
    const found = await withApi(flags, io, (api) =>
      api.get<{ Service: string; Consumers: { Peers?: string[] | null } }[]>('/v1/exported-services'),
    );
    const rows = found.map(({ Service, Consumers }) => [Service, (Consumers.Peers ?? []).join(', ')]);
    io.stdout.write(flags.format === 'json' ? json(found) : table(['Service', 'Consumer Peers'], rows));
  });
}
