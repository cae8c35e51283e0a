import { pipeline } from 'node:stream/promises';
import { AppError, errorText } from '../core/errors.ts';
import { LOG_LEVELS } from '../core/log.ts';
import { nearest } from '../core/nearest.ts';
import { CommandExit, type CommandIo } from './command.ts';
import { type ClientFlags, command, program, withApi, withClientFlags } from './program.ts';

interface MonitorFlags extends ClientFlags {
  readonly logLevel: string;
  readonly logJson?: boolean;
}

/** `lictor monitor`: the agent's log as it is written. */
export const monitorCommand = command({
  name: 'monitor',
  summary: "Show the agent's log as it is written",
  program(io) {
    return withClientFlags(
      program(
        'lictor monitor',
        "Shows the agent's log as it is written, until Ctrl-C, at a level of its own: that of the agent does not matter.",
        ['lictor monitor', 'lictor monitor -log-level=debug', 'lictor monitor -log-json'],
        io,
      ),
    )
      .option('--log-level <level>', `${LOG_LEVELS.join(', ')}`, 'info')
      .option('--log-json', 'lines of JSON')
      .action((flags: MonitorFlags) => monitor(flags, io));
  },
});

async function monitor(flags: MonitorFlags, io: CommandIo): Promise<void> {
  const asJson = flags.logJson || flags.format === 'json';
  const query = { loglevel: levelOf(flags.logLevel), logjson: asJson ? '' : undefined };
  await withApi(flags, io, async (api) => {
    try {
      const { body } = await api.stream('GET', '/v1/agent/monitor', { query });
      await pipeline(body, io.stdout, { end: false, signal: io.signal });
    } catch (cause) {
      if (io.signal.aborted) return;
      if (cause instanceof AppError) throw cause;
      throw new AppError('unavailable', `the log ended: ${errorText(cause)}; is the agent still running?`, { cause });
    }
    throw new CommandExit(1, 'The agent ended the log: it has stopped, or was told to.');
  });
}

/** Consul's names in any case. @throws AppError `config`. */
function levelOf(given: string): string {
  const lower = given.toLowerCase();
  if (lower === 'err' || LOG_LEVELS.some((level) => level === lower)) return lower;
  const near = nearest(lower, LOG_LEVELS);
  const guess = near ? `; did you mean ${near}?` : `; use one of ${LOG_LEVELS.join(', ')}`;
  throw new AppError('config', `-log-level=${given} is no level${guess}`);
}
