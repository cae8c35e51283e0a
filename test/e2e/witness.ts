import type { HealthEntry } from './line.ts';

/** One state of a service that a client could see. */
interface Seen {
  readonly atMs: number;
  /** Instance ids that pass, in order. */
  readonly passing: string;
  /** All instance ids, in order. */
  readonly all: string;
}

/** An HTTP API to ask. */
interface Asked {
  readonly url: string;
}

/** Every instance of a service in the catalog, or the passing ones only, in the order of their ids. */
export async function instancesAt(asked: Asked, name: string, filter: '' | '?passing' = ''): Promise<HealthEntry[]> {
  const path = `/v1/health/service/${name}${filter}`;
  const response = await fetch(`${asked.url}${path}`, { signal: AbortSignal.timeout(10_000) });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`GET ${path}: ${response.status} ${text}`);
  return (JSON.parse(text) as HealthEntry[]).sort((a, b) => (a.Service.ID < b.Service.ID ? -1 : 1));
}

/** Asks the HTTP API for a service again and again and keeps each state that differs from the one before. */
export class Witness {
  readonly #asked: Asked;
  readonly #name: string;
  readonly #mayBeAway: boolean;
  readonly #seen: Seen[] = [];
  readonly #done: Promise<void>;
  #stopped = false;
  #questions = 0;

  /** With `mayBeAway` a refused or broken connection is no failure: nothing was seen then. */
  constructor(asked: Asked, name: string, options: { mayBeAway?: boolean } = {}) {
    this.#asked = asked;
    this.#name = name;
    this.#mayBeAway = options.mayBeAway ?? false;
    this.#done = this.#watch();
    this.#done.catch(() => {}); // `stop` rejects with it
  }

  /** Ends the watching; gives how often was asked and every state seen, in order. */
  async stop(): Promise<{ questions: number; seen: readonly Seen[] }> {
    this.#stopped = true;
    await this.#done;
    return { questions: this.#questions, seen: this.#seen };
  }

  async #watch(): Promise<void> {
    const started = performance.now();
    for (let last = false; !last; ) {
      // Once more after the stop, so that the state of that moment is among those seen.
      last = this.#stopped;
      await this.#ask(started);
      if (!last) await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  async #ask(started: number): Promise<void> {
    const instances = await instancesAt(this.#asked, this.#name).catch((error: unknown) => {
      // fetch throws a TypeError when there was no answer at all.
      if (this.#mayBeAway && (error as Error).name === 'TypeError') return undefined;
      throw error;
    });
    if (!instances) return;
    this.#questions++;
    const ids = (entries: typeof instances) => entries.map((entry) => entry.Service.ID).join(' ');
    const passing = ids(instances.filter((entry) => entry.Checks.every((check) => check.Status === 'passing')));
    const all = ids(instances);
    const before = this.#seen.at(-1);
    if (before?.passing === passing && before.all === all) return;
    this.#seen.push({ atMs: Math.round(performance.now() - started), passing, all });
  }
}
