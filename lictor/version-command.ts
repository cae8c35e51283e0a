import { checkFormat, command, program } from '../cli/program.ts';
import { CONSUL_COMPATIBLE_VERSION, lictorVersion } from './version.ts';

/**
 * `lictor version`; the JSON form has the fields that Consul's test tools read. Called `consul` by a symlink its first line is that
 * of the version whose API it speaks, which roles and manifests of configuration tools take apart.
 */
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
          const api = CONSUL_COMPATIBLE_VERSION;
          io.stdout.write(
            io.invokedAs === 'consul'
              ? `Consul v${api}\nThis is Lictor v${version}, which speaks the HTTP API of that version\n`
              : `Lictor v${version}\nSpeaks the HTTP API of Consul ${api}\n`,
          );
        }
      });
  },
});
