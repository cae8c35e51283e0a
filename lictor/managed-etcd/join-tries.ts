import { JOIN_INTERVAL_MS, joinRefusal } from '../../agent/server-pool/join-limit.ts';
import type { Clock } from '../../core/clock.ts';

export interface JoinTriesOptions {
  /** Consul's retry_interval; undefined when it is not given. */
  readonly intervalMs: number | undefined;
  /** Consul's retry_max; 0: for ever. */
  readonly max: number;
}

/** When no interval is given, who does not answer is asked again so soon: it costs nothing, and a cluster forms as soon as all are there. */
const SILENT_MS = 1000;

interface Asked {
  /** By the clock's monotonic time. */
  nextMs: number;
  /** What came of the last try; '' when it answered. */
  failure: string;
}

/**
 * Which servers to ask when, and when to give up. Who answers is asked again at once; others after the interval. A try
 * takes an interval, as in Consul, and has failed when nobody has answered.
 */
export class JoinTries {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #options: JoinTriesOptions;
  readonly #begunMs: number;
  readonly #asked = new Map<string, Asked>();

  constructor(deps: { readonly clock: Pick<Clock, 'monotonic'> }, options: JoinTriesOptions) {
    this.#clock = deps.clock;
    this.#options = options;
    this.#begunMs = deps.clock.monotonic();
  }

  /** Those of the servers that are to be asked now. */
  due(servers: Iterable<string>): string[] {
    const now = this.#clock.monotonic();
    return [...servers].filter((server) => (this.#asked.get(server)?.nextMs ?? 0) <= now);
  }

  answered(server: string): void {
    this.#asked.set(server, { nextMs: 0, failure: '' });
  }

  failed(server: string, failure: string): void {
    const nextMs = this.#clock.monotonic() + (this.#options.intervalMs ?? SILENT_MS);
    this.#asked.set(server, { nextMs, failure });
  }

  /** Why one that has heard of nobody gives up, with what each that it was told to join answered; undefined while it goes on. */
  refusal(servers: readonly string[]): string | undefined {
    const { intervalMs = JOIN_INTERVAL_MS, max } = this.#options;
    const over = this.#clock.monotonic() - this.#begunMs >= max * intervalMs;
    if (max === 0 || servers.length === 0 || !over) return undefined;
    const answers = servers.map((server) => this.#asked.get(server)?.failure);
    if (answers.some((one) => !one)) return undefined;
    const advice = 'Start one of them, name others with -retry-join';
    return joinRefusal({ intervalMs, max }, answers.join('; '), advice);
  }
}
