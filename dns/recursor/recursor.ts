import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { CounterMetric, Metrics } from '../../core/metrics.ts';
import { type Random, shuffled } from '../../core/random.ts';
import { readHeader } from '../wire/decode-query.ts';
import { exchange, type RecursorAddress } from './exchange.ts';

export interface RecursorDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly random: Pick<Random, 'next'>;
}

export interface RecursorOptions {
  readonly addresses: readonly RecursorAddress[];
  /** In the given order, or each time in another one. */
  readonly strategy: 'sequential' | 'random';
  /** For one server; the next one has as much again. */
  readonly timeoutMs: number;
}

/** Questions under way at a time; each holds a socket. */
const MAX_IN_FLIGHT = 1024;
const NOERROR = 0;
const NXDOMAIN = 3;

/** Asks other DNS servers, one after the other until one knows. */
export class Recursor {
  readonly #deps: RecursorDeps;
  readonly #options: RecursorOptions;
  readonly #outcomes: CounterMetric;
  #inFlight = 0;

  constructor(deps: RecursorDeps, options: RecursorOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#outcomes = deps.metrics.counter({
      name: 'lictor_dns_recursor_questions_total',
      help: 'Questions to recursors by outcome: answered, refused (another code), failed (no answer).',
      labels: ['outcome'],
    });
  }

  /**
   * Hands a whole query on and gives the whole response, with the query's own id.
   * @throws AppError `unavailable` when no recursor knows, `queueFull` when too many questions are under way.
   */
  async ask(packet: Uint8Array, transport: 'udp' | 'tcp'): Promise<Uint8Array> {
    if (this.#inFlight >= MAX_IN_FLIGHT) {
      throw new AppError('queueFull', `${MAX_IN_FLIGHT} questions to recursors are under way`);
    }
    this.#inFlight++;
    try {
      return await this.#askEach(packet, transport);
    } finally {
      this.#inFlight--;
    }
  }

  async #askEach(packet: Uint8Array, transport: 'udp' | 'tcp'): Promise<Uint8Array> {
    const { clock, random, log } = this.#deps;
    const { addresses, strategy, timeoutMs } = this.#options;
    for (const address of strategy === 'random' ? shuffled(addresses, random) : addresses) {
      const id = Math.floor(random.next() * 0x10000);
      let answer: Uint8Array;
      try {
        answer = await exchange({ clock }, address, { packet: withId(packet, id), transport, timeoutMs });
      } catch (error) {
        this.#outcomes.add(1, { outcome: 'failed' });
        log.debug('a recursor did not answer', { recursor: address.host, err: error });
        continue;
      }
      const rcode = answer[3]! & 0x0f;
      if (rcode === NOERROR || rcode === NXDOMAIN) {
        this.#outcomes.add(1, { outcome: 'answered' });
        return withId(answer, readHeader(packet)!.id);
      }
      this.#outcomes.add(1, { outcome: 'refused' });
    }
    throw new AppError('unavailable', `none of ${addresses.length} recursors knows an answer`);
  }
}

function withId(packet: Uint8Array, id: number): Uint8Array {
  const copy = new Uint8Array(packet); // slice() of a Buffer would share its bytes
  copy[0] = id >> 8;
  copy[1] = id & 0xff;
  return copy;
}
