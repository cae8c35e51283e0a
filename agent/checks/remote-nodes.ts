import type { NodeHealth } from '../../api/shapes/agent-sync.ts';
import { Backoff } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';

export interface RemoteNodesDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Pick<Random, 'next'>;
  readonly servers: {
    /** What the servers know of a node. Blocks until it changed after `index`, or `waitMs` passed. */
    health(
      node: string,
      options: { index: number; waitMs: number },
      signal: AbortSignal,
    ): Promise<{ index: number; health: NodeHealth }>;
  };
}

type OnHealth = (health: NodeHealth) => void;

interface Followed {
  readonly listeners: Set<OnHealth>;
  readonly abort: AbortController;
  /** Undefined before the first answer. */
  health: NodeHealth | undefined;
}

const WAIT_MS = 60_000;
const RETRY = { baseMs: 250, maxMs: 15_000, jitter: 0.5 };
/** Between two answers about one node, so that one in constant change costs a bounded number of questions. */
const MIN_GAP_MS = 100;

/** What the servers say of other nodes: one blocking question for each node that somebody follows. */
export class RemoteNodes {
  readonly #deps: RemoteNodesDeps;
  /** By name in lower case. */
  readonly #followed = new Map<string, Followed>();

  constructor(deps: RemoteNodesDeps) {
    this.#deps = deps;
  }

  /** Gives the health of a node when it is known and after each change, until the function that it returns is called. */
  follow(node: string, onHealth: OnHealth): () => void {
    const key = node.toLowerCase();
    let followed = this.#followed.get(key);
    if (!followed) {
      followed = { listeners: new Set(), abort: new AbortController(), health: undefined };
      this.#followed.set(key, followed);
      void this.#run(node, followed);
    }
    const { listeners, abort, health } = followed;
    listeners.add(onHealth);
    if (health) onHealth(health);
    return () => {
      listeners.delete(onHealth);
      if (listeners.size > 0) return;
      abort.abort();
      if (this.#followed.get(key)?.abort === abort) this.#followed.delete(key);
    };
  }

  /** Never rejects: while the servers are away what they said last goes on. */
  async #run(node: string, followed: Followed): Promise<void> {
    const { clock, log, servers } = this.#deps;
    const { signal } = followed.abort;
    const backoff = new Backoff(this.#deps, RETRY);
    let index = 0;
    while (!signal.aborted) {
      try {
        const answer = await servers.health(node, { index, waitMs: WAIT_MS }, signal);
        if (signal.aborted) return;
        // A lower index is from a catalog that was begun anew: read it from the start.
        const changed = answer.index !== index || followed.health === undefined;
        index = answer.index < index ? 0 : answer.index;
        backoff.reset();
        followed.health = answer.health;
        if (changed) for (const listener of [...followed.listeners]) listener(answer.health);
        await clock.sleep(MIN_GAP_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (backoff.failures === 0) {
          log.warn('the health of a node that checks stand for could not be read; trying again', {
            node,
            text: errorText(error),
          });
        }
        index = 0;
        await clock.sleep(backoff.next(), signal);
      }
    }
  }
}
