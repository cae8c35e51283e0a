import type { AgentConfig, ConfigReloads, WatchConfig } from '../agent/config.ts';
import { apiOptions } from '../cli/api-options.ts';
import { HttpApi } from '../cli/http-api.ts';
import { follow } from '../cli/watch/follow.ts';
import { commandHandler, type HandlerIo, httpHandler, shellHandler, type WatchHandler } from '../cli/watch/handlers.ts';
import { type WatchParams, watchPlan } from '../cli/watch/plan.ts';
import type { Clock } from '../core/clock.ts';
import { errorText } from '../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../core/lifecycle.ts';
import type { Logger } from '../core/log.ts';

export interface ConfigWatchesDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** For the handlers' processes. */
  readonly io: HandlerIo;
  /** Where this agent's HTTP API listens. */
  readonly address: () => string;
}

/** The watches of an agent, kept in step with its configuration; none can run when its HTTP port is off. */
export function configWatches(
  config: AgentConfig,
  deps: Pick<ConfigWatchesDeps, 'clock' | 'log' | 'io'> & { reloads: ConfigReloads; port: () => number },
): Runnable[] {
  const [host] = config.addresses.http;
  if (config.ports.http < 0 && !host.startsWith('unix://')) {
    if (config.watches.length > 0) deps.log.warn('watches do not run: they need the HTTP port (ports.http)');
    return [];
  }
  const address = () => apiAddress(host, deps.port());
  const watches = new ConfigWatches({ ...deps, address }, config.watches);
  deps.reloads.add((next) => () => watches.replace(next.watches));
  return [watches];
}

function apiAddress(host: string, port: number): string {
  if (host.startsWith('unix://')) return host;
  if (host === '0.0.0.0') return `127.0.0.1:${port}`;
  if (host === '::') return `[::1]:${port}`;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The `watches` of the configuration: each follows its query through this agent and starts its handler. */
export class ConfigWatches implements Runnable {
  readonly name = 'watches';
  readonly #deps: ConfigWatchesDeps;
  #watches: readonly WatchConfig[];
  #running: { stop: AbortController; done: Promise<unknown> } | undefined;
  #started = false;

  constructor(deps: ConfigWatchesDeps, watches: readonly WatchConfig[]) {
    this.#deps = deps;
    this.#watches = watches;
  }

  async run(ctx: RunContext): Promise<void> {
    this.#started = true;
    this.#start();
    ctx.ready();
    await aborted(ctx.signal);
    this.#started = false;
    await this.#stop();
  }

  /** Replaces the watches; unchanged ones are left alone when all are. */
  async replace(watches: readonly WatchConfig[]): Promise<void> {
    if (JSON.stringify(watches) === JSON.stringify(this.#watches)) return;
    this.#watches = watches;
    if (!this.#started) return;
    await this.#stop();
    this.#start();
  }

  #start(): void {
    const stop = new AbortController();
    this.#running = { stop, done: Promise.all(this.#watches.map((watch) => this.#follow(watch, stop.signal))) };
  }

  async #stop(): Promise<void> {
    this.#running?.stop.abort();
    await this.#running?.done;
  }

  async #follow(watch: WatchConfig, signal: AbortSignal): Promise<void> {
    const { type, params } = watch;
    const log = this.#deps.log.child({ watch: type });
    const handler = this.#handler(watch);
    try {
      const { datacenter, token, token_file: tokenFile, stale } = params as Record<string, never>;
      const settings = { httpAddr: this.#deps.address(), datacenter, token, tokenFile, stale };
      const api = new HttpApi(apiOptions(settings, {}), signal);
      const onFailure = (text: string) => log.warn('a watch could not be read; it is tried again', { text });
      try {
        const plan = watchPlan({ ...(params as object), type } as WatchParams);
        for await (const change of follow({ api, clock: this.#deps.clock, onFailure }, plan, signal)) {
          await handler(change, signal).catch((error: unknown) =>
            log.error('the handler of a watch failed', { text: errorText(error) }),
          );
        }
      } finally {
        await api.close();
      }
    } catch (error) {
      log.error('a watch has ended', { text: errorText(error) });
    }
  }

  #handler({ handler }: WatchConfig): WatchHandler {
    if (handler.kind === 'http') return httpHandler(handler.http);
    return handler.kind === 'shell'
      ? shellHandler(handler.line, this.#deps.io)
      : commandHandler(handler.args, this.#deps.io);
  }
}
