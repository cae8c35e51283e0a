import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../core/errors.ts';
import { fileProblem } from '../core/file-problem.ts';

/** The client flags as commander gives them. */
export interface ClientSettings {
  httpAddr?: string;
  token?: string;
  tokenFile?: string;
  caFile?: string;
  caPath?: string;
  clientCert?: string;
  clientKey?: string;
  tlsServerName?: string;
  datacenter?: string;
  stale?: boolean;
  namespace?: string;
  partition?: string;
}

/** Where the HTTP API is and how to speak to it; see `apiOptions`. */
export interface ApiOptions {
  /** An `http(s)://host:port[/prefix]` URL, or `unix:///path`. */
  readonly address: string;
  readonly token?: string;
  /** `user:password` for HTTP Basic. */
  readonly auth?: string;
  readonly namespace?: string;
  readonly datacenter?: string;
  readonly stale: boolean;
  /** PEM texts; the system's own when absent. */
  readonly ca?: readonly string[];
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly tlsServerName?: string;
  readonly verify: boolean;
  readonly timeoutMs: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Options from flags, else from the environment (a LICTOR_ name before Consul's), else Consul's defaults.
 * @throws AppError `config` naming the flag or the variable, and the file that cannot be read.
 */
export function apiOptions(flags: ClientSettings, environment: Environment): ApiOptions {
  const env = (name: string) => environment[`LICTOR_${name}`] || environment[`CONSUL_${name}`] || undefined;
  if (flags.partition ?? env('PARTITION')) {
    throw new AppError(
      'config',
      '-partition (CONSUL_PARTITION): partitions are not supported; use -namespace to separate teams',
    );
  }
  const clientCert = readText('-client-cert', flags.clientCert ?? env('CLIENT_CERT'));
  const clientKey = readText('-client-key', flags.clientKey ?? env('CLIENT_KEY'));
  if ((clientCert === undefined) !== (clientKey === undefined)) {
    throw new AppError('config', '-client-cert and -client-key (CONSUL_CLIENT_CERT, CONSUL_CLIENT_KEY): give both');
  }
  return {
    address: addressOf(flags.httpAddr ?? env('HTTP_ADDR') ?? '127.0.0.1:8500', isTrue(env('HTTP_SSL'))),
    token: tokenOf(flags, env),
    auth: env('HTTP_AUTH'),
    namespace: flags.namespace ?? env('NAMESPACE'),
    datacenter: flags.datacenter,
    stale: flags.stale ?? false,
    ca: certificates(flags.caFile ?? env('CACERT'), flags.caPath ?? env('CAPATH')),
    clientCert,
    clientKey,
    tlsServerName: flags.tlsServerName ?? env('TLS_SERVER_NAME'),
    verify: !isFalse(env('HTTP_SSL_VERIFY')),
    timeoutMs: 30_000,
  };
}

/** An address with `http://` is called by HTTPS where that is asked for: nobody who wants TLS gets less. */
function addressOf(given: string, ssl: boolean): string {
  if (/^(https?|unix):\/\//.test(given)) {
    return (ssl ? given.replace(/^http:/, 'https:') : given).replace(/\/+$/, '');
  }
  const address = `${ssl ? 'https' : 'http'}://${given.replace(/\/+$/, '')}`;
  if (/^[a-z]+:\/\//i.test(given) || !URL.canParse(address)) {
    throw new AppError(
      'config',
      `-http-addr (CONSUL_HTTP_ADDR): ${JSON.stringify(given)} is no address; write host:port, http(s)://host:port or unix:///path`,
    );
  }
  return address;
}

/** Flags before the environment, and of each a file before a token (Consul's order). */
function tokenOf(flags: ClientSettings, env: (name: string) => string | undefined): string | undefined {
  if (flags.tokenFile) return readText('-token-file', flags.tokenFile)?.trim();
  if (flags.token !== undefined) return flags.token || undefined;
  return readText('CONSUL_HTTP_TOKEN_FILE', env('HTTP_TOKEN_FILE'))?.trim() ?? env('HTTP_TOKEN');
}

function certificates(file: string | undefined, folder: string | undefined): string[] | undefined {
  if (file) return [readText('-ca-file', file)!];
  if (!folder) return undefined;
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => readFileSync(join(folder, entry.name), 'utf8'));
  } catch (cause) {
    throw new AppError('config', `-ca-path: cannot read ${folder}: ${fileProblem(cause)}`, { cause });
  }
}

function readText(flag: string, path: string | undefined): string | undefined {
  if (!path) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new AppError('config', `${flag}: cannot read ${path}: ${fileProblem(cause)}`, { cause });
  }
}

const isTrue = (text: string | undefined) => /^(1|t|true)$/i.test(text ?? '');
const isFalse = (text: string | undefined) => /^(0|f|false)$/i.test(text ?? '');
