import { AppError } from '../../core/errors.ts';
import type { IntentionClient } from '../../operator/intention-client/intention-client.ts';

/** The servers' intentions over a link that fails when told to: before a write is done, or after it, without a word. */
export class FlakyIntentions implements IntentionClient {
  readonly #inner: IntentionClient;
  /** So many of the next calls fail; each second one only after it was done. */
  failures = 0;
  /** Every write that was done, in order. */
  readonly writes: string[] = [];

  constructor(inner: IntentionClient) {
    this.#inner = inner;
  }

  list: IntentionClient['list'] = (after, signal) => this.#over(() => this.#inner.list(after, signal));
  read: IntentionClient['read'] = (destination) => this.#over(() => this.#inner.read(destination));
  put: IntentionClient['put'] = (entry, cas) =>
    this.#over(() => this.#noted(`put ${entry.Name}`, this.#inner.put(entry, cas)));
  delete: IntentionClient['delete'] = (destination, cas) =>
    this.#over(() => this.#noted(`delete ${destination}`, this.#inner.delete(destination, cas)));

  async #noted(write: string, result: Promise<boolean>): Promise<boolean> {
    const done = await result;
    if (done) this.writes.push(write);
    return done;
  }

  async #over<T>(call: () => Promise<T>): Promise<T> {
    if (this.failures <= 0) return call();
    this.failures--;
    if (this.failures % 2 === 1) await call();
    throw new AppError('unavailable', 'the link to the servers broke');
  }
}
