import { tmpdir } from 'node:os';
import type { Command as Program } from 'commander';
import { SystemClock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { SystemRandom } from '../../core/random.ts';
import type { CommandIo } from '../command.ts';
import type { HttpApi } from '../http-api.ts';
import { HeldLock } from '../lock-holder.ts';
import { type ClientFlags, clientOptions, repeated, subProgram, withClientFlags } from '../program.ts';
import type { ReadArchive } from '../snapshot.ts';
import { AgentRegistration } from './agent-registration.ts';
import { AGENT_FLAGS, AGENT_SWITCHES, type AgentSettings, agentSettings, readAgentFiles } from './agent-settings.ts';
import { LocalTarget } from './local-target.ts';
import { SnapshotSchedule } from './snapshot-schedule.ts';
import type { SnapshotTarget } from './snapshot-target.ts';

interface AgentDeps {
  readonly io: CommandIo;
  readonly readArchive: ReadArchive;
}

type AgentFlags = ClientFlags & Record<string, unknown> & { configFile?: string[]; configDir?: string[] };

/** `snapshot agent`: takes snapshots at intervals, one agent of several at a time. */
export function addAgent(parent: Program, deps: AgentDeps): void {
  const examples = [
    'lictor snapshot agent -local-path=/var/backups/lictor -interval=1h -retain=48',
    'lictor snapshot agent -aws-s3-bucket=backups -aws-s3-region=eu-central-1 -aws-s3-key-prefix=dc1/lictor',
    'lictor snapshot agent -config-file=/etc/lictor/snapshot.hcl',
    'lictor snapshot agent -interval=0 -local-path=.',
  ];
  const text = 'Takes a snapshot at intervals into a folder or an S3-compatible storage, and keeps the newest.';
  const target = withClientFlags(subProgram(parent, 'agent', text, examples, deps.io))
    .option('--config-file <path>', 'configuration in HCL or JSON (may be given again)', repeated)
    .option(
      '--config-dir <folder>',
      'folder of such files, in the order of their names (may be given again)',
      repeated,
    );
  for (const { flag, value, text: help } of AGENT_FLAGS) target.option(`--${flag} <${value}>`, help);
  for (const { flag, text: help } of AGENT_SWITCHES) target.option(`--${flag}`, help);
  target.action((flags: AgentFlags) => runAgent(flags, deps));
}

async function runAgent(flags: AgentFlags, deps: AgentDeps): Promise<void> {
  const { io } = deps;
  const files = await readAgentFiles(flags.configFile ?? [], flags.configDir ?? [], io);
  const settings = agentSettings(flags, files, io.env);
  const target = await targetOf(settings);
  const options = clientOptions(settings.client, io);
  const { HttpApi: Api } = await import('../http-api.ts');
  const api = new Api(options, io.signal);
  // Its own: the lock and the registration have to be given back after the signal.
  const own = new Api(options);
  try {
    if (settings.intervalMs === 0) await once(settings, target, { ...deps, api });
    else await daemon(settings, target, { ...deps, api, own });
  } finally {
    await Promise.all([api.close(), own.close()]);
  }
}

async function targetOf(settings: AgentSettings): Promise<SnapshotTarget> {
  if (!settings.s3) return new LocalTarget({ path: settings.localPath, prefix: settings.namePrefix });
  // Only who stores at S3 loads its library.
  const { S3Target } = await import('./s3-target.ts');
  return new S3Target(settings.s3);
}

function scheduleOf(
  settings: AgentSettings,
  target: SnapshotTarget,
  deps: AgentDeps & { api: HttpApi },
  onResult: (failure: string | undefined) => void,
): SnapshotSchedule {
  const { api, io, readArchive } = deps;
  const say = (line: string): void => void io.stdout.write(`${line}\n`);
  return new SnapshotSchedule(
    { api, target, readArchive, clock: new SystemClock(), random: new SystemRandom(), say, onResult },
    { ...settings, scratchPath: settings.scratchPath || tmpdir() },
  );
}

async function once(
  settings: AgentSettings,
  target: SnapshotTarget,
  deps: AgentDeps & { api: HttpApi },
): Promise<void> {
  await scheduleOf(settings, target, deps, () => {}).save(deps.io.signal);
}

/** With the lock, until the signal; without it, again in line. */
async function daemon(
  settings: AgentSettings,
  target: SnapshotTarget,
  deps: AgentDeps & { api: HttpApi; own: HttpApi },
): Promise<void> {
  const { io, own } = deps;
  const { signal } = io;
  if (settings.client.datacenter) throw new AppError('config', '-datacenter: another datacenter only with -interval=0');
  const clock = new SystemClock();
  const say = (line: string): void => void io.stdout.write(`${line}\n`);
  const id = `${settings.service}:${new SystemRandom().uuid()}`;
  const registration = new AgentRegistration({ api: own, clock, say }, { ...settings, id });
  say('Snapshot agent running');
  const beating = registration.run(signal);
  while (!signal.aborted) {
    const lock = new HeldLock(
      { api: own, say, clock },
      {
        prefix: settings.lockKey,
        limit: 1,
        retries: 3,
        timeoutMs: 0,
        name: 'Consul Snapshot Agent',
      },
    );
    try {
      say('Waiting to obtain leadership...');
      if (!(await lock.acquire(signal))) continue;
      say('Obtained leadership');
      await registration.tell(true);
      const onResult = (failure: string | undefined): void => void registration.tell(true, failure);
      await scheduleOf(settings, target, deps, onResult).run(AbortSignal.any([signal, lock.lost]));
      if (!signal.aborted) say('Gave up leadership');
    } catch (error) {
      if (!signal.aborted) say(`Leadership could not be obtained, tried again: ${errorText(error)}`);
    } finally {
      await lock.release().catch(() => {});
      await registration.tell(false);
    }
    // Others get their turn first.
    await clock.sleep(RELAX_MS, signal);
  }
  await beating;
  await registration.remove().catch(() => {});
}

const RELAX_MS = 5000;
