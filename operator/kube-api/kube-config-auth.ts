import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { KubeAuth, KubeCredentials } from './kube-auth.ts';

/**
 * Credentials from a kubeconfig or a pod's service account, as client-node resolves them (files, tokens, exec plugins,
 * OIDC). They are asked for anew after `maxAgeMs`, since files and tokens are rotated.
 */
export class KubeConfigAuth implements KubeAuth {
  readonly #config: KubeConfig;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #maxAgeMs: number;
  #current: { readonly promise: Promise<KubeCredentials>; readonly at: number } | undefined;

  constructor(deps: { config: KubeConfig; clock: Pick<Clock, 'monotonic'> }, options: { maxAgeMs?: number } = {}) {
    this.#config = deps.config;
    this.#clock = deps.clock;
    this.#maxAgeMs = options.maxAgeMs ?? 60_000;
  }

  credentials(options: { readonly refresh?: boolean } = {}): Promise<KubeCredentials> {
    const age = this.#current ? this.#clock.monotonic() - this.#current.at : Number.POSITIVE_INFINITY;
    // A refused credential is asked for again at most once a second, so that a 401 storm starts no storm of plugins.
    if (this.#current && age < (options.refresh ? 1000 : this.#maxAgeMs)) return this.#current.promise;
    const promise = this.#resolve();
    const entry = { promise, at: this.#clock.monotonic() };
    this.#current = entry;
    promise.catch(() => {
      if (this.#current === entry) this.#current = undefined;
    });
    return promise;
  }

  async #resolve(): Promise<KubeCredentials> {
    const cluster = this.#config.getCurrentCluster();
    if (!cluster) {
      throw new AppError('config', `the kubeconfig has no cluster for context ${this.#config.getCurrentContext()}`);
    }
    const options: RequestOptions = {};
    try {
      await this.#config.applyToHTTPSOptions(options);
    } catch {
      // The cause is left out: it may quote a plugin's output or a token file.
      throw new AppError('permissionDenied', 'the credentials of the kubeconfig could not be obtained', {
        facts: { user: this.#config.getCurrentUser()?.name },
      });
    }
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value);
    if (options.auth) headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
    return {
      server: cluster.server,
      headers,
      tls: {
        ca: options.ca as string | Buffer | undefined,
        cert: options.cert as string | Buffer | undefined,
        key: options.key as string | Buffer | undefined,
        rejectUnauthorized: options.rejectUnauthorized,
        servername: options.servername,
      },
    };
  }
}
