import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { AppError, errorText } from '../core/errors.ts';

/** Where the HTTP API is and how to speak to it; see `apiOptions`. */
export interface ApiOptions {
  /** An `http(s)://host:port` URL, or `unix:///path`. */
  readonly address: string;
  readonly token?: string;
  readonly namespace?: string;
  readonly datacenter?: string;
  readonly caFile?: string;
  readonly verify: boolean;
  readonly timeoutMs: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** A LICTOR_ name beside Consul's wins. */
function env(environment: Environment, name: string): string | undefined {
  return environment[`LICTOR_${name}`] || environment[`CONSUL_${name}`] || undefined;
}

/** Options from flags, else from the environment (CONSUL_HTTP_ADDR and its siblings), else Consul's defaults. */
export function apiOptions(
  flags: { httpAddr?: string; token?: string; namespace?: string; datacenter?: string; caFile?: string },
  environment: Environment,
): ApiOptions {
  const given = flags.httpAddr ?? env(environment, 'HTTP_ADDR') ?? '127.0.0.1:8500';
  const ssl = env(environment, 'HTTP_SSL');
  const scheme = ssl === 'true' || ssl === '1' ? 'https' : 'http';
  const tokenFile = env(environment, 'HTTP_TOKEN_FILE');
  const verify = env(environment, 'HTTP_SSL_VERIFY');
  return {
    address: /^(https?|unix):\/\//.test(given) ? given : `${scheme}://${given}`,
    token:
      flags.token ?? env(environment, 'HTTP_TOKEN') ?? (tokenFile ? readFileSync(tokenFile, 'utf8').trim() : undefined),
    namespace: flags.namespace ?? env(environment, 'NAMESPACE'),
    datacenter: flags.datacenter,
    caFile: flags.caFile ?? env(environment, 'CACERT'),
    verify: verify !== 'false' && verify !== '0',
    timeoutMs: 30_000,
  };
}

/** A caller of the HTTP API. Failures are AppErrors whose text names the address and what to do. */
export class HttpApi {
  readonly #options: ApiOptions;
  readonly #agent: Agent;

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#agent = new Agent({
      connect: {
        ...(options.address.startsWith('unix://') ? { socketPath: options.address.slice('unix://'.length) } : {}),
        ...(options.caFile ? { ca: readFileSync(options.caFile) } : {}),
        rejectUnauthorized: options.verify,
      },
    });
  }

  /** The decoded JSON of a GET. @throws AppError `unavailable`, `deadline`, or with the server's text. */
  async get<T>(path: string, query: Readonly<Record<string, string | undefined>> = {}): Promise<T> {
    const { address, token, namespace, datacenter, timeoutMs } = this.#options;
    const base = address.startsWith('unix://') ? 'http://localhost' : address;
    const url = new URL(path, base);
    for (const [key, value] of Object.entries({ ns: namespace, dc: datacenter, ...query })) {
      if (value !== undefined) url.searchParams.set(key, value);
    }
    let status: number;
    let text: string;
    try {
      const answer = await request(url, {
        dispatcher: this.#agent,
        headers: token ? { 'x-consul-token': token } : {},
        signal: AbortSignal.timeout(timeoutMs),
      });
      status = answer.statusCode;
      text = await answer.body.text();
    } catch (cause) {
      throw new AppError(
        'unavailable',
        `no answer from ${address} (${errorText(cause)}); is an agent running there? Set -http-addr or CONSUL_HTTP_ADDR`,
        { cause },
      );
    }
    if (status >= 400) throw new AppError('badRequest', `${address} answered ${status} to ${path}: ${text.trim()}`);
    return JSON.parse(text) as T;
  }

  close(): Promise<void> {
    return this.#agent.close();
  }
}
