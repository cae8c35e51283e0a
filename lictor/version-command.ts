import { checkFormat, command, program } from '../cli/program.ts';
import { CONSUL_COMPATIBLE_VERSION, lictorVersion } from './version.ts';

/** `lictor version`; the JSON form has the fields that Consul's test tools read. */
export const versionCommand = command({
  name: 'version',
  summary: 'Print the version',
  program(io) {
    return program('lictor version', 'Prints the version.', ['lictor version', 'lictor version -format=json'], io)
      .option('--format <format>', 'pretty or json', 'pretty')
      .action(({ format }: { format: string }) => {
        const version = lictorVersion();
        if (checkFormat(format) === 'json') {
          const fields = { Version: CONSUL_COMPATIBLE_VERSION, HumanVersion: `Lictor v${version}`, Lictor: version };
          io.stdout.write(`${JSON.stringify(fields, null, 4)}\n`);
        } else {
          io.stdout.write(`Lictor v${version}\nSpeaks the HTTP API of Consul ${CONSUL_COMPATIBLE_VERSION}\n`);
        }
      });
  },
});
