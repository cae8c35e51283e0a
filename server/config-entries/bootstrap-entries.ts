import type { ConfigEntry } from '../../api/shapes/config-entry/entry.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { ConfigWriter } from './config-writer.ts';

export interface BootstrapEntryDeps {
  readonly writer: Pick<ConfigWriter, 'put'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How soon entries that the store did not take are tried again. */
const RETRY_MS = 5_000;

/** What came of some entries. */
interface Outcome {
  /** Entries that break a rule together with those that are there, with the reason. */
  readonly refused: { entry: ConfigEntry; text: string }[];
  /** Entries that could not be written now. */
  readonly later: ConfigEntry[];
}

/**
 * Writes the entries of a server's configuration that are not there yet, once after it has started. One that depends on
 * others of them comes after these, whatever their order.
 */
export class BootstrapEntries implements Runnable {
  readonly name = 'bootstrap-entries';
  readonly #deps: BootstrapEntryDeps;
  readonly #entries: readonly ConfigEntry[];

  constructor(deps: BootstrapEntryDeps, options: { entries: readonly ConfigEntry[] }) {
    this.#deps = deps;
    this.#entries = options.entries;
  }

  /** Ready when each has been tried: a store that refuses writes must not keep reads from being served. */
  async run(ctx: RunContext): Promise<void> {
    let { refused, later } = await this.#write(this.#entries);
    ctx.ready();
    while (later.length > 0 && !ctx.signal.aborted) {
      await this.#deps.clock.sleep(RETRY_MS, ctx.signal);
      if (ctx.signal.aborted) break;
      ({ refused, later } = await this.#write([...refused.map(({ entry }) => entry), ...later]));
    }
    await aborted(ctx.signal);
  }

  async #write(entries: readonly ConfigEntry[]): Promise<Outcome> {
    let outcome = await this.#pass(entries);
    for (let before = entries.length; outcome.refused.length > 0 && outcome.refused.length < before; ) {
      before = outcome.refused.length;
      const next = await this.#pass(outcome.refused.map(({ entry }) => entry));
      outcome = { refused: next.refused, later: [...outcome.later, ...next.later] };
    }
    const { log } = this.#deps;
    for (const { entry, text } of outcome.refused) {
      log.error('an entry of config_entries.bootstrap was not written', { kind: entry.Kind, name: entry.Name, text });
    }
    return outcome;
  }

  async #pass(entries: readonly ConfigEntry[]): Promise<Outcome> {
    const { writer, log } = this.#deps;
    const outcome: Outcome = { refused: [], later: [] };
    for (const entry of entries) {
      try {
        if (await writer.put(entry, 0n))
          log.info('wrote a configuration entry', { kind: entry.Kind, name: entry.Name });
      } catch (error) {
        const text = errorText(error);
        if (error instanceof AppError && error.code === 'badRequest') outcome.refused.push({ entry, text });
        else {
          log.warn('a configuration entry could not be written; trying again', { name: entry.Name, text });
          outcome.later.push(entry);
        }
      }
    }
    return outcome;
  }
}
