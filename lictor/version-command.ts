import type { Command } from '../cli/command.ts';
import { program, runProgram } from '../cli/program.ts';
import { AppError } from '../core/errors.ts';
import { CONSUL_COMPATIBLE_VERSION, lictorVersion } from './version.ts';

/** `lictor version`; the JSON form has the fields that Consul's test tools read. */
export const versionCommand: Command = {
  name: 'version',
  summary: 'Print the version',
  run(argv, io) {
    const target = program(
      'lictor version',
      'Prints the version.',
      ['lictor version', 'lictor version -format=json'],
      io,
    )
      .option('--format <format>', 'pretty or json', 'pretty')
      .action(({ format }: { format: string }) => {
        const version = lictorVersion();
        if (format === 'json') {
          const fields = { Version: CONSUL_COMPATIBLE_VERSION, HumanVersion: `Lictor v${version}`, Lictor: version };
          io.stdout.write(`${JSON.stringify(fields, null, 4)}\n`);
        } else if (format === 'pretty') {
          io.stdout.write(`Lictor v${version}\nSpeaks the HTTP API of Consul ${CONSUL_COMPATIBLE_VERSION}\n`);
        } else throw new AppError('config', `-format=${format}: use pretty or json`);
      });
    return runProgram(target, argv);
  },
};
