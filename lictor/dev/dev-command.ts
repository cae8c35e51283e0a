import { command, program } from '../../cli/program.ts';
import { AppError } from '../../core/errors.ts';
import { LOG_LEVELS, type LogLevel } from '../../core/log.ts';
import { runDev } from './run-dev.ts';

interface DevFlags {
  file?: string;
  dataDir?: string;
  client: string;
  httpPort: string;
  dnsPort: string;
  node?: string;
  datacenter: string;
  domain: string;
  maxSweepShare: string;
  logLevel?: string;
}

/** `lictor dev -f FOLDER`: every role in one process, fed from a folder of manifests. */
export const devCommand = command({
  name: 'dev',
  summary: 'Run every role in one process from a folder of manifests, without Kubernetes',
  program(io) {
    return program(
      'lictor dev',
      'Runs server, agent, DNS and the reconcilers in one process, fed from a folder of manifests. Saving a file takes effect at once. Ctrl-C ends everything.',
      [
        'lictor dev -f manifests/',
        'lictor dev -f web.yaml -http-port 18500 -dns-port 18600',
        'lictor dev -f manifests/ -data-dir temporary',
      ],
      io,
    )
      .option('-f, --file <folder>', 'folder of manifests, or one file (needed)')
      .option(
        '--data-dir <folder>',
        'where the catalog is kept over restarts; "temporary" for none (default: below the user’s state folder)',
      )
      .option('--client <address>', 'address that HTTP and DNS listen on', '127.0.0.1')
      .option('--http-port <port>', 'port of the HTTP API; 0 takes a free one', '8500')
      .option('--dns-port <port>', 'port of DNS (UDP and TCP); 0 takes a free one', '8600')
      .option('--node <name>', 'name of this node (default: the host name)')
      .option('--datacenter <name>', 'name of the datacenter', 'dc1')
      .option('--domain <name>', 'DNS domain', 'consul')
      .option(
        '--max-sweep-share <share>',
        'largest share (0 to 1) of the instances that may go at once when most files vanish, or between two runs',
        '0.5',
      )
      .option('--log-level <level>', `${LOG_LEVELS.join(', ')}`)
      .action((flags: DevFlags) =>
        runDev(
          {
            folder: folderOf(flags.file),
            dataDir: flags.dataDir,
            host: flags.client,
            ports: { http: portOf('-http-port', flags.httpPort), dns: portOf('-dns-port', flags.dnsPort) },
            nodeName: flags.node,
            datacenter: flags.datacenter,
            domain: flags.domain,
            maxSweepShare: shareOf(flags.maxSweepShare),
            logLevel: logLevelOf(flags.logLevel),
          },
          io,
        ),
      );
  },
});

/** @throws AppError `config` saying what is needed and what to try. */
function folderOf(file: string | undefined): string {
  if (file !== undefined && file !== '') return file;
  throw new AppError(
    'config',
    '-f (--file): give the folder of your manifests, or one file: lictor dev -f manifests/ (the folder may be empty); ' +
      '`lictor demo` shows it all with manifests of its own',
  );
}

/** @throws AppError `config` naming the flag. */
export function portOf(flag: string, text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new AppError('config', `${flag} ${text}: give a port from 0 to 65535`);
}

/** @throws AppError `config` naming the flag. */
function shareOf(text: string): number {
  const share = Number(text);
  if (text.trim() !== '' && share >= 0 && share <= 1) return share;
  throw new AppError('config', `-max-sweep-share ${text}: give a number from 0 to 1`);
}

function logLevelOf(text: string | undefined): LogLevel | undefined {
  if (text === undefined) return undefined;
  const found = LOG_LEVELS.find((level) => level === text.toLowerCase());
  if (found) return found;
  throw new AppError('config', `-log-level ${text}: use one of ${LOG_LEVELS.join(', ')}`);
}
