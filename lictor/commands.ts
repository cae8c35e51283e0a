import type { Command } from '../cli/command.ts';

/** Headings of `lictor --help`, in its order. */
export const COMMAND_GROUPS = [
  'Run',
  'Discover',
  'Store and lock',
  'Secure',
  'Agents',
  'Servers',
  'Files and tools',
] as const;

export interface CommandRow {
  readonly group: (typeof COMMAND_GROUPS)[number];
  readonly summary: string;
  /** Loads the code, only when the command runs. */
  readonly load: () => Promise<Command>;
}

/** Every command: where it is listed, what it does, and where its code is. */
export const COMMANDS: Readonly<Record<string, CommandRow>> = {
  agent: {
    group: 'Run',
    summary: 'Run an agent: client mode, server mode (-server) or in memory (-dev)',
    load: async () => (await import('./agent-command.ts')).agentCommand,
  },
  catalog: {
    group: 'Discover',
    summary: 'List datacenters, nodes or services',
    load: async () => (await import('../cli/catalog.ts')).catalogCommand,
  },
  completion: {
    group: 'Files and tools',
    summary: 'Print a script that completes commands and flags in your shell',
    load: async () => (await import('./completion-command.ts')).completionCommand,
  },
  config: {
    group: 'Secure',
    summary: 'Read, list, write and delete configuration entries',
    load: async () => (await import('../cli/config.ts')).configCommand,
  },
  connect: {
    group: 'Secure',
    summary: 'The certificate authority, and services behind ingress gateways',
    load: async () => (await import('../cli/connect.ts')).connectCommand,
  },
  debug: {
    group: 'Agents',
    summary: 'Capture what an agent does for a while, as one archive',
    load: async () => (await import('../cli/debug.ts')).debugCommand,
  },
  demo: {
    group: 'Run',
    summary: 'Three services, health checks and live DNS on this machine',
    load: async () => (await import('./demo/demo-command.ts')).demoCommand,
  },
  dev: {
    group: 'Run',
    summary: 'Run every role in one process from a folder of manifests, without Kubernetes',
    load: async () => (await import('./dev/dev-command.ts')).devCommand,
  },
  event: {
    group: 'Agents',
    summary: 'Fire a user event',
    load: async () => (await import('../cli/event.ts')).eventCommand,
  },
  exec: {
    group: 'Agents',
    summary: 'Refused: commands are not run on other nodes',
    load: async () => (await import('../cli/exec.ts')).execCommand,
  },
  explain: {
    group: 'Discover',
    summary: 'Show why the instances of a service are answered, or are not',
    load: async () => (await import('../cli/explain.ts')).explainCommand,
  },
  'force-leave': {
    group: 'Agents',
    summary: 'Take a failed agent out of the catalog',
    load: async () => (await import('../cli/force-leave.ts')).forceLeaveCommand,
  },
  info: {
    group: 'Agents',
    summary: 'Show what the agent says of itself',
    load: async () => (await import('../cli/info.ts')).infoCommand,
  },
  intention: {
    group: 'Secure',
    summary: 'Say which service may call which, and check it',
    load: async () => (await import('../cli/intention.ts')).intentionCommand,
  },
  join: {
    group: 'Agents',
    summary: 'Make the agent join other agents',
    load: async () => (await import('../cli/join.ts')).joinCommand,
  },
  keygen: {
    group: 'Secure',
    summary: 'Make a gossip encryption key',
    load: async () => (await import('../cli/keygen.ts')).keygenCommand,
  },
  keyring: {
    group: 'Secure',
    summary: 'List and change gossip encryption keys',
    load: async () => (await import('../cli/keyring.ts')).keyringCommand,
  },
  kv: {
    group: 'Store and lock',
    summary: 'Read and write the key/value store',
    load: async () => (await import('../cli/kv.ts')).kvCommand,
  },
  leave: {
    group: 'Agents',
    summary: 'Make the agent leave in good order and end',
    load: async () => (await import('../cli/leave.ts')).leaveCommand,
  },
  lint: {
    group: 'Files and tools',
    summary: 'Check manifests without a cluster',
    load: async () => (await import('../cli/lint.ts')).lintCommand,
  },
  lock: {
    group: 'Store and lock',
    summary: 'Run a command while holding a lock',
    load: async () => (await import('../cli/lock.ts')).lockCommand,
  },
  maint: {
    group: 'Agents',
    summary: 'Take this node or one of its services out of service, or show what is',
    load: async () => (await import('../cli/maint.ts')).maintCommand,
  },
  members: {
    group: 'Agents',
    summary: 'List the agents that this agent knows',
    load: async () => (await import('../cli/members.ts')).membersCommand,
  },
  monitor: {
    group: 'Agents',
    summary: "Show the agent's log as it is written",
    load: async () => (await import('../cli/monitor.ts')).monitorCommand,
  },
  namespace: {
    group: 'Secure',
    summary: 'Describe, list and delete namespaces',
    load: async () => (await import('../cli/namespace.ts')).namespaceCommand,
  },
  operator: {
    group: 'Run',
    summary: 'Reconcile the custom resources of a Kubernetes cluster; or raft, autopilot and usage of the servers',
    load: async () => (await import('./operator-command.ts')).operatorCommand,
  },
  reload: {
    group: 'Agents',
    summary: 'Make the agent read its configuration files anew',
    load: async () => (await import('../cli/reload.ts')).reloadCommand,
  },
  resolve: {
    group: 'Discover',
    summary: 'Show the instances of a service and their health',
    load: async () => (await import('../cli/resolve.ts')).resolveCommand,
  },
  rtt: {
    group: 'Agents',
    summary: 'Estimate the network round trip between nodes',
    load: async () => (await import('../cli/rtt.ts')).rttCommand,
  },
  services: {
    group: 'Agents',
    summary: 'Register and deregister services of this agent, and export services to peers',
    load: async () => (await import('../cli/services.ts')).servicesCommand,
  },
  session: {
    group: 'Store and lock',
    summary: 'Create, list, renew and destroy sessions',
    load: async () => (await import('../cli/session.ts')).sessionCommand,
  },
  snapshot: {
    group: 'Run',
    summary: 'Save, restore and inspect all data of the servers',
    load: async () => (await import('./snapshot-command.ts')).snapshotCommand,
  },
  tls: {
    group: 'Secure',
    summary: 'Make certificates for servers and agents, offline',
    load: async () => (await import('../cli/tls.ts')).tlsCommand,
  },
  validate: {
    group: 'Files and tools',
    summary: 'Check configuration files of agents',
    load: async () => (await import('./validate-command.ts')).validateCommand,
  },
  watch: {
    group: 'Discover',
    summary: 'Follow a service live, or run a command on every change of a watch',
    load: async () => (await import('../cli/watch.ts')).watchCommand,
  },
  version: {
    group: 'Files and tools',
    summary: 'Print the version',
    load: async () => (await import('./version-command.ts')).versionCommand,
  },
};
