import { InvalidArgumentError } from 'commander';
import { type Clock, SystemClock } from '../core/clock.ts';
import { formatGoDuration, parseGoDuration } from '../core/duration.ts';
import { AppError, errorText } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import type { Command, CommandIo } from './command.ts';
import { type CaptureTarget, capture, TARGETS } from './debug/capture.ts';
import { CaptureFolder } from './debug/folder.ts';
import type { HttpApi } from './http-api.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, withApi, withClientFlags } from './program.ts';

interface DebugFlags extends ClientFlags {
  readonly archive: boolean;
  readonly capture?: readonly CaptureTarget[];
  readonly duration: number;
  readonly interval: number;
  readonly output?: string;
}

/** `lictor debug`: what is needed to understand an agent, as one archive. */
export function makeDebugCommand(deps: { readonly clock: Clock }): Command {
  return command({
    name: 'debug',
    summary: 'Capture what an agent does for a while, as one archive',
    program(io) {
      return withClientFlags(
        program(
          'lictor debug',
          'Captures what an agent says of itself, its machine, its members, its metrics and its log for a while, and keeps it as one archive. Ctrl-C ends it early and keeps what there is. Profiles are captured where the agent offers them.',
          [
            'lictor debug',
            'lictor debug -duration=30s -interval=5s -output=web-1',
            'lictor debug -capture=agent -capture=metrics',
          ],
          io,
        ),
      )
        .option('--no-archive', 'leave the folder, make no .tar.gz of it (also -archive=false)')
        .option('--capture <target>', `${TARGETS.join(', ')}; may be repeated; all when not given`, target)
        .option('--duration <duration>', 'how long logs and metrics are captured', duration, 300_000)
        .option('--interval <duration>', 'time between profiles', duration, 30_000)
        .option('--output <path>', 'name of folder and archive; lictor-debug-TIME when not given')
        .action((flags: DebugFlags) => debug(flags, { io, ...deps }));
    },
  });
}

export const debugCommand = makeDebugCommand({ clock: new SystemClock() });

interface DebugDeps {
  readonly io: CommandIo;
  readonly clock: Clock;
}

async function debug(flags: DebugFlags, deps: DebugDeps): Promise<void> {
  const { io, clock } = deps;
  const { archive } = flags;
  const output = flags.output ?? `lictor-debug-${new Date(clock.now()).toISOString().replace(/[:.]/g, '-')}`;
  if (flags.interval > flags.duration) throw new AppError('config', '-interval must not be longer than -duration');
  const targets = flags.capture ?? TARGETS;
  const say = (text: string) => void io.stderr.write(`${text}\n`);
  // What is captured before Ctrl-C is kept: calls that write it down must outlive the signal of the command.
  await withApi(flags, { ...io, signal: new AbortController().signal }, async (api) => {
    const version = await agentVersion(api);
    const folder = CaptureFolder.create(output, { archive });
    const shown = archive ? `${output}.tar.gz` : output;
    say('==> Starting debugger and capturing static information...');
    say(` Agent Version: '${version}'`);
    say(`      Interval: '${formatGoDuration(flags.interval)}'`);
    say(`      Duration: '${formatGoDuration(flags.duration)}'`);
    say(`        Output: '${shown}'`);
    say(`       Capture: '${targets.join(', ')}'`);
    const spans = { durationMs: flags.duration, intervalMs: flags.interval };
    const failures = await capture({ api, clock, folder, say, signal: io.signal }, { targets, ...spans });
    if (io.signal.aborted) say('==> Interrupted; what was captured until now is kept');
    folder.write(
      'index.json',
      json({
        AgentVersion: version,
        Interval: formatGoDuration(flags.interval),
        Duration: formatGoDuration(flags.duration),
        Targets: targets,
        Failures: failures,
      }),
    );
    await folder.finish(clock.now());
    if (flags.format === 'json') io.stdout.write(json({ Output: shown, Failures: failures }));
    else io.stdout.write(`Saved debug ${archive ? 'archive' : 'folder'}: ${shown}\n`);
  });
}

/** The first call: without an agent nothing is begun. */
async function agentVersion(api: HttpApi): Promise<string> {
  try {
    const { Config } = await api.get<{ Config?: { Version?: string } }>('/v1/agent/self');
    return Config?.Version ?? 'unknown';
  } catch (cause) {
    const code = cause instanceof AppError ? cause.code : 'unavailable';
    throw new AppError(code, `Error querying target agent: ${errorText(cause)}`, { cause });
  }
}

function target(text: string, before: readonly CaptureTarget[] | undefined): CaptureTarget[] {
  const found = TARGETS.find((one) => one === text);
  if (found) return [...(before ?? []), found];
  const near = nearest(text, TARGETS);
  throw new InvalidArgumentError(near ? `did you mean ${near}?` : `use one of ${TARGETS.join(', ')}`);
}

/** From a second to a day, in milliseconds. */
function duration(text: string): number {
  const ms = parseGoDuration(text);
  if (ms !== undefined && ms >= 1_000 && ms <= 24 * 3_600_000) return ms;
  throw new InvalidArgumentError('use a duration from "1s" to "24h"');
}
