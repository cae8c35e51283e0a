import { parseFlags } from '../agent/config/flags.ts';
import { FLAGS, FLAGS_WITHOUT_EFFECT, KEYS, OTHER_FLAGS } from '../agent/config/keys.ts';
import { systemConfigFiles } from '../agent/config/system-files.ts';
import { parseAgentConfig } from '../agent/config.ts';
import type { Command, FlagDescription } from '../cli/command.ts';
import { withPidFile } from './pid-file.ts';

const EXAMPLES = [
  'lictor agent -dev',
  'lictor agent -server -bootstrap-expect 1 -data-dir /var/lib/lictor',
  'lictor agent -server -data-dir /var/lib/lictor -etcd-endpoints http://10.0.0.1:2379',
  'lictor agent -server -bootstrap-expect 3 -retry-join 10.0.0.1 -retry-join 10.0.0.2 -data-dir /var/lib/lictor',
  'lictor agent -retry-join 10.0.0.5 -data-dir /var/lib/lictor',
  `lictor agent -config-dir /etc/lictor.d -bind '{{ GetInterfaceIP "eth0" }}'`,
];

/** Consul's flags without effect are taken, but not advertised. */
function agentFlags(): FlagDescription[] {
  const keys = Object.entries(FLAGS).map(([name, key]) => ({
    name,
    ...(KEYS[key] === 'bool' ? {} : { value: 'value' }),
    text: `sets ${key}`,
  }));
  const others = Object.entries(OTHER_FLAGS).map(([name, value]) => ({
    name,
    ...(value ? { value: 'value' } : {}),
    text: OTHER_TEXTS[name] ?? '',
  }));
  return [...keys, ...others]
    .filter(({ name }) => !(name in FLAGS_WITHOUT_EFFECT))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function configPaths(argv: readonly string[]): string[] {
  return parseFlags(argv).files.map(({ path }) => path);
}

const OTHER_TEXTS: Readonly<Record<string, string>> = {
  'config-dir': 'reads all .hcl and .json files of a folder',
  'config-file': 'reads a file in HCL or JSON',
  'config-format': 'hcl or json, for all files',
  dev: 'one server in memory, on loopback',
  hcl: 'a piece of HCL',
};

const HELP = `Usage: lictor agent [flags]

Runs an agent. Without -server it is a client: it runs the checks of its node and answers HTTP and DNS from the servers
that -retry-join or lictor join names. With -server it also keeps the catalog. With -dev everything is in memory and on loopback.

Flags take one dash or two, and their value after a space or "=". Files in HCL or
JSON take Consul's keys.

Identity and role:
  -server                  keep the catalog on this machine
  -dev                     one server in memory, on loopback
  -node NAME               name of the node (default: the host name)
  -node-id UUID            its id (default: made once and kept in the data folder)
  -node-meta KEY=VALUE     metadata; may be repeated
  -datacenter NAME         name of the datacenter (default dc1)
  -bootstrap, -bootstrap-expect N
  -retry-join HOST[:PORT]  a server to join; may be repeated (default port 8300)
  -retry-interval 30s, -retry-max N    give up when none has answered N times (default 0: never)

Servers of a cluster share an etcd, and elect the one that takes the writes:
  -etcd-endpoints URL[,URL]  http(s)://host:port of its members
  -etcd-bin FILE           without endpoints: the etcd that each server runs (default etcd on PATH)
  -etcd-client-port 2379, -etcd-peer-port 2380
  -etcd-prefix PREFIX      what all keys begin with (default lictor/)
  -etcd-ca-file, -etcd-cert-file, -etcd-key-file FILE    for https

Addresses and ports:
  -bind ADDRESS            where other agents reach this one (default 0.0.0.0)
  -advertise ADDRESS       what others are told (default: a private address of the machine)
  -client ADDRESS          where HTTP and DNS listen (default 127.0.0.1)
  -http-port 8500, -dns-port 8600, -server-port 8300    -1 switches one off

Files:
  -data-dir FOLDER         where state is kept (needed but with -dev)
  -config-file FILE        HCL or JSON; may be repeated, later files win
  -config-dir FOLDER       all .hcl and .json files of a folder, in lexical order
  -config-format FORMAT    hcl or json: read all files as that, whatever their names
  -hcl TEXT                a piece of HCL; wins over files and flags
  -auto-reload-config      reload when a file changes
  -pid-file FILE           keeps the process id while the agent runs

Other:
  -domain NAME             DNS domain (default consul)
  -log-level LEVEL         trace, debug, info, warn or error

Examples:
${EXAMPLES.map((line) => `  ${line}\n`).join('')}`;

/** `lictor agent`: client mode, server mode (-server) or everything in memory (-dev). */
export const agentCommand: Command = {
  name: 'agent',
  summary: 'Run an agent: client mode, server mode (-server) or in memory (-dev)',
  own: { flags: agentFlags(), examples: EXAMPLES },
  async run(argv, io) {
    if (argv.some((arg) => /^--?(help|h)$/.test(arg))) {
      io.stdout.write(HELP);
      return 0;
    }
    const read = () => parseAgentConfig(argv, systemConfigFiles);
    const { config, warnings } = read();
    const start = { config, read, configPaths: configPaths(argv) };
    for (const warning of warnings) io.stderr.write(`lictor agent: ${warning}\n`);
    await withPidFile(config.pidFile, async () => {
      if (config.mode === 'client') {
        const { runClient } = await import('./client-agent.ts');
        await runClient(start, io);
      } else {
        const { runServer } = await import('./run-server.ts');
        await runServer(start, io);
      }
    });
    return 0;
  },
};
