import { basename } from 'node:path';
import { runCommand } from './run-command.ts';

// What bin/lictor has set for this process alone is not for the programs that it starts.
for (const name of (process.env.LICTOR_OWN_SETTINGS ?? '').split(' ')) delete process.env[name];
delete process.env.LICTOR_OWN_SETTINGS;

// An agent tells systemd of itself; of the programs that it starts, etcd would tell of itself, too.
const notifySocket = process.argv[2] === 'agent' ? process.env.NOTIFY_SOCKET : undefined;
if (notifySocket !== undefined) delete process.env.NOTIFY_SOCKET;

const stop = new AbortController();
let asked = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The second time the user means: now.
    if (asked) process.exit(130);
    asked = true;
    stop.abort(signal);
  });
}
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of a pipe has gone (`lictor … | head`): nobody is left to print for.
  if (error.code === 'EPIPE') stop.abort('EPIPE');
});
// A terminal that was closed: what still has to be tidied up must not end with a message that nobody can read.
process.stderr.on('error', () => {});

const code = await runCommand(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  // Touched only by the commands that read it: a stream on a terminal would keep the process.
  get stdin() {
    return process.stdin;
  },
  env: process.env,
  signal: stop.signal,
  onHangup: (listener) => {
    process.on('SIGHUP', listener);
    return () => process.off('SIGHUP', listener);
  },
  notifySocket,
  invokedAs: process.env.LICTOR_INVOKED_AS ? basename(process.env.LICTOR_INVOKED_AS) : undefined,
});
process.exitCode = code;
