import { systemConfigFiles } from '../agent/config/system-files.ts';
import { parseAgentConfig } from '../agent/config.ts';
import { CommandExit, type CommandIo } from '../cli/command.ts';
import { json } from '../cli/output.ts';
import { checkFormat, command, program } from '../cli/program.ts';
import { errorText } from '../core/errors.ts';

interface ValidateFlags {
  configFormat?: string;
  quiet?: boolean;
  format: string;
}

/** `lictor validate`: whether an agent would start with these files, read together and in order. */
export const validateCommand = command({
  name: 'validate',
  summary: 'Check configuration files of agents',
  program(io) {
    return program(
      'lictor validate',
      'Checks configuration files of agents as one configuration, in the order given; folders by their .hcl and .json files.',
      [
        'lictor validate /etc/consul.d',
        'lictor validate base.hcl site.json',
        'lictor validate -config-format=hcl agent.conf',
      ],
      io,
    )
      .argument('<paths...>', 'files and folders')
      .option('--config-format <format>', 'hcl or json: read all files as that, whatever their names')
      .option('--quiet', 'print nothing when the configuration is valid')
      .option('--format <format>', 'pretty or json', 'pretty')
      .action((paths: string[], flags: ValidateFlags) => validate(paths, flags, io));
  },
});

function validate(paths: readonly string[], flags: ValidateFlags, io: CommandIo): void {
  const asJson = checkFormat(flags.format) === 'json';
  const argv = [
    ...(flags.configFormat === undefined ? [] : [`-config-format=${flags.configFormat}`]),
    ...paths.map((path) => `-config-file=${path}`),
  ];
  try {
    const { warnings } = parseAgentConfig(argv, systemConfigFiles);
    if (asJson) io.stdout.write(json({ valid: true, warnings }));
    else if (!flags.quiet) {
      for (const warning of warnings) io.stderr.write(`${warning}\n`);
      io.stdout.write('Configuration is valid!\n');
    }
  } catch (error) {
    if (asJson) io.stdout.write(json({ valid: false, error: errorText(error) }));
    throw new CommandExit(1, `Config validation failed: ${errorText(error)}`);
  }
}
