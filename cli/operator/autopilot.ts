import { InvalidArgumentError, type Command as Program } from 'commander';
import { parseGoDuration } from '../../core/duration.ts';
import { AppError } from '../../core/errors.ts';
import type { CommandIo } from '../command.ts';
import { json } from '../output.ts';
import { type ClientFlags, subProgram, withApi, withClientFlags } from '../program.ts';

const PATH = '/v1/operator/autopilot/configuration';

/** The answer of /v1/operator/autopilot/configuration. */
interface AutopilotConfig {
  CleanupDeadServers: boolean;
  LastContactThreshold: string;
  MaxTrailingLogs: number;
  MinQuorum: number;
  ServerStabilizationTime: string;
  RedundancyZoneTag: string;
  DisableUpgradeMigration: boolean;
  UpgradeVersionTag: string;
  ModifyIndex: number;
}

/** The answer of /v1/operator/autopilot/state; servers by id. */
interface AutopilotState {
  Healthy: boolean;
  FailureTolerance: number;
  Leader: string;
  Voters: string[] | null;
  Servers: Record<string, AutopilotServer> | null;
}

interface AutopilotServer {
  Name: string;
  Address: string;
  Version: string;
  Status: string;
  NodeStatus: string;
  Healthy: boolean;
  LastContact: string;
  LastTerm: number;
  LastIndex: number;
}

type SetFlags = ClientFlags &
  Partial<Record<'cleanupDeadServers' | 'disableUpgradeMigration', string>> & {
    maxTrailingLogs?: number;
    minQuorum?: number;
    lastContactThreshold?: string;
    serverStabilizationTime?: string;
    redundancyZoneTag?: string;
    upgradeVersionTag?: string;
  };

/** `operator autopilot get-config|set-config|state`. */
export function addAutopilot(parent: Program, io: CommandIo): void {
  const example = 'lictor operator autopilot state';
  const group = subProgram(parent, 'autopilot', 'How servers that fail are treated.', [example], io);
  withClientFlags(
    subProgram(group, 'get-config', 'Shows the settings.', ['lictor operator autopilot get-config'], io),
  ).action((flags: ClientFlags) => getConfig(flags, io));
  withClientFlags(subProgram(group, 'state', 'Shows the health of the servers.', [example], io)).action(
    (flags: ClientFlags) => showState(flags, io),
  );
  withClientFlags(
    subProgram(
      group,
      'set-config',
      'Changes settings; those that are not given stay.',
      [
        'lictor operator autopilot set-config -cleanup-dead-servers=false',
        'lictor operator autopilot set-config -min-quorum=3',
      ],
      io,
    ),
  )
    .option('--cleanup-dead-servers <bool>', 'remove dead servers when a new one joins', bool)
    .option('--max-trailing-logs <count>', 'entries that a healthy server may be behind', count)
    .option('--min-quorum <count>', 'servers that stay in any case', count)
    .option('--last-contact-threshold <duration>', 'silence after which a server is unhealthy', duration)
    .option('--server-stabilization-time <duration>', 'how long a new server must be healthy to vote', duration)
    .option('--redundancy-zone-tag <tag>', 'node metadata key of zones')
    .option('--disable-upgrade-migration <bool>', 'no automatic change to newer servers', bool)
    .option('--upgrade-version-tag <tag>', 'node metadata key of versions')
    .action((flags: SetFlags) => setConfig(flags, io));
}

async function getConfig(flags: ClientFlags, io: CommandIo): Promise<void> {
  const config = await withApi(flags, io, (api) => api.get<AutopilotConfig>(PATH));
  if (flags.format === 'json') io.stdout.write(json(config));
  else
    io.stdout.write(`CleanupDeadServers = ${config.CleanupDeadServers}
LastContactThreshold = ${config.LastContactThreshold}
MaxTrailingLogs = ${config.MaxTrailingLogs}
MinQuorum = ${config.MinQuorum}
ServerStabilizationTime = ${config.ServerStabilizationTime}
RedundancyZoneTag = "${config.RedundancyZoneTag ?? ''}"
DisableUpgradeMigration = ${config.DisableUpgradeMigration ?? false}
UpgradeVersionTag = "${config.UpgradeVersionTag ?? ''}"
`);
}

async function setConfig(flags: SetFlags, io: CommandIo): Promise<void> {
  const isTrue = (text: string | undefined) => (text === undefined ? undefined : text === 'true');
  const given = {
    CleanupDeadServers: isTrue(flags.cleanupDeadServers),
    MaxTrailingLogs: flags.maxTrailingLogs,
    MinQuorum: flags.minQuorum,
    LastContactThreshold: flags.lastContactThreshold,
    ServerStabilizationTime: flags.serverStabilizationTime,
    RedundancyZoneTag: flags.redundancyZoneTag,
    DisableUpgradeMigration: isTrue(flags.disableUpgradeMigration),
    UpgradeVersionTag: flags.upgradeVersionTag,
  };
  const changed = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  if (Object.keys(changed).length === 0)
    throw new AppError('config', 'give at least one setting, for example -min-quorum=3');
  const done = await withApi(flags, io, async (api) => {
    const config = await api.get<AutopilotConfig>(PATH);
    const query = { cas: String(config.ModifyIndex) };
    return api.put<boolean>(PATH, { json: { ...config, ...changed }, query });
  });
  if (!done) throw new AppError('conflict', 'Configuration could not be atomically updated, please try again');
  io.stdout.write(flags.format === 'json' ? json({ updated: changed }) : 'Configuration updated!\n');
}

async function showState(flags: ClientFlags, io: CommandIo): Promise<void> {
  // An unhealthy set of servers is answered with 429.
  const answer = await withApi(flags, io, (api) => api.send('GET', '/v1/operator/autopilot/state', { accept: [429] }));
  const state = answer.json<AutopilotState>();
  if (flags.format === 'json') {
    io.stdout.write(json(state));
    return;
  }
  const servers = Object.entries(state.Servers ?? {}).map(([id, server]) => describeServer(id, server));
  io.stdout.write(`Healthy:           ${state.Healthy}
Failure Tolerance: ${state.FailureTolerance}
Leader:            ${state.Leader}
Voters:
${(state.Voters ?? []).map((id) => `   ${id}\n`).join('')}Servers:
${servers.join('')}`);
}

function describeServer(id: string, server: AutopilotServer): string {
  const rows: [string, unknown][] = [
    ['Name', server.Name],
    ['Address', server.Address],
    ['Version', server.Version],
    ['Status', server.Status],
    ['Node Status', server.NodeStatus],
    ['Healthy', server.Healthy],
    ['Last Contact', server.LastContact],
    ['Last Term', server.LastTerm],
    ['Last Index', server.LastIndex],
  ];
  return `   ${id}\n${rows.map(([name, value]) => `      ${`${name}:`.padEnd(14)}${String(value ?? '')}\n`).join('')}`;
}

function bool(text: string): string {
  if (/^(1|t|true)$/i.test(text)) return 'true';
  if (/^(0|f|false)$/i.test(text)) return 'false';
  throw new InvalidArgumentError('use true or false');
}

function count(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('use a whole number');
}

function duration(text: string): string {
  if ((parseGoDuration(text) ?? -1) >= 0) return text;
  throw new InvalidArgumentError('use a duration such as "200ms"');
}
