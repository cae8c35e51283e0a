import { AppError } from '../core/errors.ts';
import { stopAtFirstArgument } from './arguments.ts';
import { command, program, withClientFlags } from './program.ts';

/** `lictor exec`: refused. */
export const execCommand = command({
  name: 'exec',
  summary: 'Refused: commands are not run on other nodes',
  program(io) {
    const target = program(
      'lictor exec',
      'Refused: agents run no commands for others (Consul has this off by default too). Use kubectl exec, ssh, or a handler of lictor watch -type=event on the nodes.',
      ['lictor watch -type=event -name=deploy ./deploy.sh'],
      io,
    );
    return withClientFlags(stopAtFirstArgument(target).argument('[command...]')).action(() => {
      throw new AppError(
        'config',
        'agents run no commands for others; use kubectl exec, ssh, or a handler of lictor watch -type=event on the nodes',
      );
    });
  },
});
