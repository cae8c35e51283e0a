import type { Command, CommandIo } from '../cli/command.ts';
import { AppError, errorText } from '../core/errors.ts';

/** Every command: what it does, and where its code is; loaded only when it runs. */
const COMMANDS: Record<string, { summary: string; load: () => Promise<Command> }> = {
  agent: {
    summary: 'Run an agent: client mode, server mode (-server) or in memory (-dev)',
    load: async () => (await import('./agent-command.ts')).agentCommand,
  },
  catalog: {
    summary: 'List datacenters, nodes or services',
    load: async () => (await import('../cli/catalog.ts')).catalogCommand,
  },
  demo: {
    summary: 'Three services, health checks and live DNS on this machine',
    load: async () => (await import('./demo/demo-command.ts')).demoCommand,
  },
  dev: {
    summary: 'Run every role in one process from a folder of manifests, without Kubernetes',
    load: async () => (await import('./dev/dev-command.ts')).devCommand,
  },
  lint: {
    summary: 'Check manifests without a cluster',
    load: async () => (await import('../cli/lint.ts')).lintCommand,
  },
  members: {
    summary: 'List the agents that this agent knows',
    load: async () => (await import('../cli/members.ts')).membersCommand,
  },
  operator: {
    summary: 'Reconcile the custom resources of a Kubernetes cluster into the catalog',
    load: async () => (await import('./operator-command.ts')).operatorCommand,
  },
  resolve: {
    summary: 'Show the instances of a service and their health',
    load: async () => (await import('../cli/resolve.ts')).resolveCommand,
  },
  version: {
    summary: 'Print the version',
    load: async () => (await import('./version-command.ts')).versionCommand,
  },
};

function usage(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const rows = Object.entries(COMMANDS).map(([name, row]) => `  ${name.padEnd(width)}  ${row.summary}`);
  return `Usage: lictor <command> [flags]

Service discovery, health checking and zero-trust service networking for Kubernetes.

Commands:
${rows.join('\n')}

'lictor <command> --help' shows flags and examples.

Examples:
  lictor dev -f manifests/
  lictor agent -dev
  lictor catalog services
`;
}

async function main(argv: readonly string[], io: CommandIo): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h' || name === '-help') {
    io.stdout.write(usage());
    return name === undefined ? 127 : 0;
  }
  const found = COMMANDS[name === '--version' || name === '-version' || name === '-v' ? 'version' : name];
  if (!found) {
    io.stderr.write(`lictor: there is no command "${name}"; 'lictor --help' lists them\n`);
    return 127;
  }
  try {
    const command = await found.load();
    return await command.run(rest, io);
  } catch (error) {
    if (error instanceof AppError && error.code !== 'internal') io.stderr.write(`lictor ${name}: ${error.message}\n`);
    else
      io.stderr.write(
        `lictor ${name}: ${error instanceof Error ? (error.stack ?? error.message) : errorText(error)}\n`,
      );
    return 1;
  }
}

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

const code = await main(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: stop.signal,
});
process.exitCode = code;
