import { randomBytes } from 'node:crypto';
import { json } from './output.ts';
import { checkFormat, command, program } from './program.ts';

/** `lictor keygen`: a gossip key as the `encrypt` key of the configuration takes it. */
export const keygenCommand = command({
  name: 'keygen',
  summary: 'Make a gossip encryption key',
  program(io) {
    return program(
      'lictor keygen',
      'Makes a gossip encryption key: 32 random bytes in base64, for `encrypt` in the configuration of every agent.',
      ['lictor keygen'],
      io,
    )
      .option('--format <format>', 'pretty or json', 'pretty')
      .action(({ format }: { format: string }) => {
        const key = randomBytes(32).toString('base64');
        io.stdout.write(checkFormat(format) === 'json' ? json({ key }) : `${key}\n`);
      });
  },
});
