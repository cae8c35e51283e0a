import { parseArgs } from 'node:util';
import { AppError } from '../core/errors.ts';
import { LOG_LEVELS, type LogLevel } from '../core/log.ts';
import { normaliseAddress } from './catalog-client/server-http.ts';
import type { NamespaceMapping } from './indexes/cluster-view.ts';

/** Everything that the operator is told at start. */
export interface OperatorOptions {
  /** Base addresses of the servers' HTTP API. */
  readonly httpAddresses: readonly string[];
  /** X-Consul-Token; a token file wins. Never logged. */
  readonly httpToken?: string;
  readonly httpTokenFile?: string;
  /** File with the CA of the servers, in PEM. */
  readonly httpCaFile?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Empty = all. */
  readonly watchNamespaces: readonly string[];
  /** Undefined = made of the cluster's id. */
  readonly owner?: string;
  readonly externalNode: string;
  readonly namespaces: NamespaceMapping;
  readonly maxSweepShare: number;
  readonly leaderElect: boolean;
  /** Undefined = the namespace of the kubeconfig's context, which in a pod is the pod's. */
  readonly leaseNamespace?: string;
  readonly leaseName: string;
  readonly leaseMs: number;
  /** Undefined = no probes and metrics. */
  readonly metricsAddress?: { readonly host: string; readonly port: number };
  readonly workers: number;
  readonly logLevel: LogLevel;
}

interface Flag {
  readonly value?: string;
  readonly text: string;
  readonly env?: readonly string[];
  readonly fallback?: string;
  readonly multiple?: boolean;
}

/** The flags, in the order of the help. A LICTOR_ name wins over the Consul name beside it; a flag over both. */
const FLAGS = {
  'http-addr': {
    value: 'address',
    text: 'HTTP API of the servers; several with commas or by repeating, the next is used when one fails',
    env: ['LICTOR_HTTP_ADDR', 'CONSUL_HTTP_ADDR'],
    fallback: 'http://127.0.0.1:8500',
    multiple: true,
  },
  'token-file': {
    value: 'file',
    text: 'file with the token for the servers',
    env: ['LICTOR_HTTP_TOKEN_FILE', 'CONSUL_HTTP_TOKEN_FILE'],
  },
  'ca-file': { value: 'file', text: 'CA of the servers, for https', env: ['LICTOR_CACERT', 'CONSUL_CACERT'] },
  kubeconfig: { value: 'file', text: 'kubeconfig; default: KUBECONFIG, ~/.kube/config, the pod’s service account' },
  context: { value: 'name', text: 'context of the kubeconfig; default: its current one' },
  namespace: { value: 'name', text: 'watch only this Kubernetes namespace' },
  'watch-namespaces': { value: 'names', text: 'watch only these, separated by commas; default: all' },
  owner: { value: 'kind/name', text: 'name under which entries are written; default: kubernetes/<id of the cluster>' },
  'external-node': { value: 'node', text: 'catalog node of spec.instances that name none', fallback: 'external' },
  namespaces: {
    value: 'how',
    text: 'single: all into the catalog namespace default; mirror: each into its own',
    fallback: 'single',
  },
  'max-sweep-share': {
    value: 'share',
    text: 'largest share (0 to 1) of the entries that may go at once unseen',
    fallback: '0.5',
  },
  'leader-elect': {
    value: 'bool',
    text: 'elect a leader by a Lease; false only where a second operator is impossible',
    fallback: 'true',
  },
  'lease-namespace': { value: 'name', text: 'namespace of the Lease; default: that of the context' },
  'lease-name': { value: 'name', text: 'name of the Lease', fallback: 'lictor-operator' },
  'lease-duration': {
    value: 'seconds',
    text: 'others may lead when the Lease was not renewed for so long',
    fallback: '15',
  },
  'metrics-addr': {
    value: 'address',
    text: 'where /healthz, /readyz and /metrics are served; off = nowhere',
    fallback: ':8580',
  },
  workers: { value: 'number', text: 'objects of a kind worked on at a time', fallback: '16' },
  'log-level': { value: 'level', text: LOG_LEVELS.join(', '), env: ['LICTOR_LOG_LEVEL'], fallback: 'info' },
} as const satisfies Record<string, Flag>;

type FlagName = keyof typeof FLAGS;
type Values = Partial<Record<FlagName, string | string[]>>;

/** The flags for completion and documentation. */
export const OPERATOR_FLAGS: readonly { name: string; value: string; text: string }[] = Object.entries(FLAGS).map(
  ([name, { value, text }]) => ({ name, value, text }),
);

/** What `lictor operator --help` prints. */
export function operatorHelp(): string {
  const rows = Object.entries(FLAGS).map(([name, flag]: [string, Flag]) => {
    const env = flag.env ? ` [${flag.env.join(', ')}]` : '';
    const fallback = flag.fallback === undefined ? '' : ` (default ${flag.fallback})`;
    return `  --${`${name} <${flag.value}>`.padEnd(30)} ${flag.text}${fallback}${env}`;
  });
  return `Usage: lictor operator [flags]
       lictor operator raft|autopilot|usage <command>   tools for the servers; see their --help

Reconciles the lictor.dev resources of a Kubernetes cluster into the catalog of the servers.

Flags:
${rows.join('\n')}

Examples:
  lictor operator --http-addr http://lictor-server:8500
  lictor operator --kubeconfig ~/.kube/config --leader-elect=false --metrics-addr 127.0.0.1:9000
`;
}

/**
 * The options from flags (Go's one-dash form too) and environment; 'help' when asked for it.
 * @throws AppError `config` naming the flag and what would be right.
 */
export function parseOperatorOptions(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): OperatorOptions | 'help' {
  if (argv.some((arg) => /^--?(help|h)$/.test(arg))) return 'help';
  const values = readFlags(argv);
  const of = (name: FlagName): string | undefined => {
    const flag: Flag = FLAGS[name];
    const given = values[name];
    if (given !== undefined) return Array.isArray(given) ? given.join(',') : given;
    return flag.env?.map((each) => env[each]).find((value) => value) ?? flag.fallback;
  };
  const need = (name: FlagName): string => of(name) ?? '';
  return {
    httpAddresses: list(need('http-addr')).map(normaliseAddress),
    httpToken: env.LICTOR_HTTP_TOKEN || env.CONSUL_HTTP_TOKEN || undefined,
    httpTokenFile: of('token-file'),
    httpCaFile: of('ca-file'),
    kubeconfig: of('kubeconfig'),
    context: of('context'),
    watchNamespaces: namespacesOf(of('namespace'), of('watch-namespaces')),
    owner: ownerOf(of('owner')),
    externalNode: nodeName(need('external-node')),
    namespaces: oneOf('namespaces', need('namespaces'), ['single', 'mirror'] as const),
    maxSweepShare: numberOf('max-sweep-share', need('max-sweep-share'), 0, 1),
    leaderElect: oneOf('leader-elect', need('leader-elect'), ['true', 'false'] as const) === 'true',
    leaseNamespace: of('lease-namespace'),
    leaseName: kubeName('lease-name', need('lease-name')),
    leaseMs: numberOf('lease-duration', need('lease-duration'), 3, 600) * 1000,
    metricsAddress: listenAddress(need('metrics-addr')),
    workers: wholeNumber('workers', need('workers'), 1, 256),
    logLevel: oneOf('log-level', need('log-level'), LOG_LEVELS),
  };
}

function readFlags(argv: readonly string[]): Values {
  // Go programs take long flags with one dash, and `--leader-elect` alone means true.
  const args = argv.map((arg) => (/^-[a-z][a-z-]+/.test(arg) ? `-${arg}` : arg));
  const options = Object.fromEntries(
    Object.entries(FLAGS).map(([name, flag]: [string, Flag]) => [
      name,
      { type: 'string' as const, ...(flag.multiple ? { multiple: true } : {}) },
    ]),
  );
  try {
    const bare = args.map((arg) => (arg === '--leader-elect' ? '--leader-elect=true' : arg));
    return parseArgs({ args: bare, options, strict: true, allowPositionals: false }).values as Values;
  } catch (error) {
    const text = (error as Error).message.split('. ')[0]!;
    throw wrong(`${text[0]!.toLowerCase()}${text.slice(1)} (see 'lictor operator --help')`);
  }
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function namespacesOf(one: string | undefined, many: string | undefined): string[] {
  if (one !== undefined && many !== undefined)
    throw wrong('--namespace and --watch-namespaces exclude each other; use one');
  return [...new Set(list(one ?? many ?? ''))].map((name) => kubeName('watch-namespaces', name));
}

function ownerOf(owner: string | undefined): string | undefined {
  if (owner === undefined || /^[a-z][a-z0-9-]{0,62}\/[A-Za-z0-9][A-Za-z0-9._-]{0,126}$/.test(owner)) return owner;
  throw wrong(`--owner="${owner}": write <kind>/<name>, e.g. kubernetes/prod`);
}

function nodeName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,251}$/.test(name)) return name;
  throw wrong(`--external-node="${name}": a node name has letters, digits, "-", "_" and "."`);
}

function kubeName(flag: FlagName, name: string): string {
  if (/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name)) return name;
  throw wrong(`--${flag}="${name}": a name in Kubernetes has lower case letters, digits and "-"`);
}

function oneOf<const T extends readonly string[]>(flag: FlagName, text: string, values: T): T[number] {
  if (values.includes(text)) return text;
  throw wrong(`--${flag}="${text}": use ${values.slice(0, -1).join(', ')} or ${values.at(-1)}`);
}

function numberOf(flag: FlagName, text: string, min: number, max: number): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= min && value <= max) return value;
  throw wrong(`--${flag}="${text}": a number from ${min} to ${max} is needed`);
}

function wholeNumber(flag: FlagName, text: string, min: number, max: number): number {
  const value = numberOf(flag, text, min, max);
  if (Number.isInteger(value)) return value;
  throw wrong(`--${flag}="${text}": a whole number is needed`);
}

/** `host:port`, `:port` (all addresses), `[::1]:port`, or `off`. */
function listenAddress(text: string): { host: string; port: number } | undefined {
  if (text === 'off') return undefined;
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match && port <= 65_535) return { host: match[1] || match[2] || '0.0.0.0', port };
  throw wrong(`--metrics-addr="${text}": write host:port, :port or off`);
}

function wrong(text: string): AppError {
  return new AppError('config', text);
}
