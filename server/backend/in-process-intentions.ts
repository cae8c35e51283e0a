import { blockingQuery } from '../../api/blocking-query.ts';
import type { ConfigBackend } from '../../api/routes/config-routes.ts';
import { decodeConfigEntry } from '../../api/shapes/config-entry/decode.ts';
import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';

const KIND = 'service-intentions';

/** An entry as it is shown. */
interface ShownEntry {
  readonly Name: string;
  readonly Meta?: Readonly<Record<string, string>>;
  readonly ModifyIndex: number;
}

/** The service-intentions entries as an operator of the same process sees them. */
export class InProcessIntentions {
  readonly #config: ConfigBackend;
  readonly #waits: { clock: Clock; random: Random };

  constructor(deps: { config: ConfigBackend; clock: Clock; random: Random }) {
    this.#config = deps.config;
    this.#waits = deps;
  }

  async list(after: { readonly index: number; readonly waitMs: number }, signal: AbortSignal) {
    const live = this.#config.list(KIND);
    const { value, index } = await blockingQuery(this.#waits, after, () => live.run(), live.watch, signal);
    return { index, entries: value as readonly ShownEntry[] };
  }

  async read(destination: string): Promise<ShownEntry | undefined> {
    return this.#config.entry(KIND, destination).run().value as ShownEntry | undefined;
  }

  /** @throws AppError `badRequest` with Consul's text. */
  async put(entry: object, cas: number): Promise<boolean> {
    return this.#config.put(decodeConfigEntry(entry), BigInt(cas));
  }

  delete(destination: string, cas: number): Promise<boolean> {
    return this.#config.delete(KIND, destination, BigInt(cas));
  }
}
