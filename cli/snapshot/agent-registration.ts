import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import type { HttpApi } from '../http-api.ts';

const TTL_S = 30;
const BEAT_MS = 10_000;
/**
 * At the end, too, it is waited for: an agent that has fallen silent must not hold up the process. One that has taken it waits
 * up to 5 s itself for servers that hang.
 */
const BEAT_LIMIT_MS = 8_000;

/**
 * Shows a snapshot agent in the catalog as Consul's does: a service with a check that it is alive, and, once it has the
 * lock, a check that it takes snapshots.
 */
export class AgentRegistration {
  readonly #deps: { api: Pick<HttpApi, 'put'>; clock: Clock; say: (text: string) => void };
  readonly #options: { id: string; service: string; deregisterAfter: string };
  #leads = false;
  #failure: string | undefined;
  #told = '';

  constructor(
    deps: { api: Pick<HttpApi, 'put'>; clock: Clock; say: (text: string) => void },
    options: { id: string; service: string; deregisterAfter: string },
  ) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Until the signal aborts; failures are said once and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, say } = this.#deps;
    while (!signal.aborted) {
      try {
        await this.#beat();
        this.#told = '';
      } catch (error) {
        const text = errorText(error);
        if (!signal.aborted && text !== this.#told) say(`Registration failed, tried again: ${text}`);
        this.#told = text;
      }
      await clock.sleep(BEAT_MS, signal);
    }
  }

  /** Whether it takes snapshots, and the last try's failure. */
  async tell(leads: boolean, failure?: string): Promise<void> {
    this.#leads = leads;
    this.#failure = failure;
    await this.#beat().catch(() => {});
  }

  async remove(): Promise<void> {
    await this.#deps.api.put(`/v1/agent/service/deregister/${encodeURIComponent(this.#options.id)}`, {
      timeoutMs: BEAT_LIMIT_MS,
    });
  }

  async #beat(): Promise<void> {
    const { id, service, deregisterAfter } = this.#options;
    const critical =
      deregisterAfter === '' || /^0/.test(deregisterAfter) ? {} : { DeregisterCriticalServiceAfter: deregisterAfter };
    const check = (name: string, of: string) => ({ CheckID: `${id}:${of}`, Name: name, TTL: `${TTL_S}s`, ...critical });
    await this.#deps.api.put('/v1/agent/service/register', {
      query: { 'replace-existing-checks': 'true' },
      timeoutMs: BEAT_LIMIT_MS,
      json: {
        ID: id,
        Name: service,
        Checks: [
          { ...check('Consul Snapshot Agent Alive', 'alive'), Status: 'passing' },
          ...(this.#leads
            ? [
                {
                  ...check('Consul Snapshot Agent Saving Snapshots', 'saving'),
                  Status: this.#failure === undefined ? 'passing' : 'critical',
                  Notes: this.#failure ?? '',
                },
              ]
            : []),
        ],
      },
    });
  }
}
