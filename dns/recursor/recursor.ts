import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { CounterMetric, Metrics } from '../../core/metrics.ts';
import { type Random, shuffled } from '../../core/random.ts';
import { readHeader } from '../wire/decode-query.ts';
import { exchange, type RecursorAddress } from './exchange.ts';
import { firstThatKnows, type Said } from './first-that-knows.ts';
import { RecursorOrder } from './recursor-order.ts';

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
  /** For one server; of a query that is handed on the next one has as much again. */
  readonly timeoutMs: number;
}

/** Questions under way at a time; each holds a socket. */
const MAX_IN_FLIGHT = 1024;
/** Of questions of our own, between one recursor and the next (RFC 8305 section 5). */
const STAGGER_MS = 250;
const TRUNCATED = 0x02;
const NOERROR = 0;
const NXDOMAIN = 3;

/** Asks other DNS servers until one knows. */
export class Recursor {
  readonly #deps: RecursorDeps;
  readonly #options: RecursorOptions;
  readonly #outcomes: CounterMetric;
  readonly #order: RecursorOrder;
  #inFlight = 0;

  constructor(deps: RecursorDeps, options: RecursorOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#order = new RecursorOrder(deps);
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
    const { addresses, timeoutMs } = this.#options;
    for (const address of this.#addresses()) {
      const answer = await this.#askOne(address, packet, transport, timeoutMs);
      if (answer) return withId(answer, readHeader(packet)!.id);
    }
    throw new AppError('unavailable', `none of ${addresses.length} recursors knows an answer`);
  }

  /**
   * What `read` makes of the first response that it finds something in (it gives undefined when there is nothing). For questions
   * of our own, which are to be answered soon: the recursors are asked shortly after each other, those that were silent lately
   * last. Undefined when there is nothing, or none has answered within `budgetMs`.
   * @throws AppError `queueFull` when too many questions are under way.
   */
  async find<T>(
    packet: Uint8Array,
    budgetMs: number,
    read: (message: Uint8Array) => T | undefined,
  ): Promise<T | undefined> {
    this.#checkRoom();
    const order = this.#order.of(this.#addresses());
    // Each has half of the time at least.
    const staggerMs = Math.min(STAGGER_MS, budgetMs / (2 * order.length));
    const ask = async (address: RecursorAddress, leftMs: number): Promise<Said<T>> => {
      const message = await this.#askInFull(address, packet, leftMs);
      const value = message && read(message);
      if (!message) return 'failed';
      return value === undefined ? 'nothing' : { value };
    };
    return firstThatKnows(this.#deps, order, ask, { budgetMs, staggerMs });
  }

  #addresses(): readonly RecursorAddress[] {
    const { addresses, strategy } = this.#options;
    return strategy === 'random' ? shuffled(addresses, this.#deps.random) : addresses;
  }

  /** Over TCP when it was cut for UDP. */
  async #askInFull(address: RecursorAddress, packet: Uint8Array, budgetMs: number): Promise<Uint8Array | undefined> {
    const { clock } = this.#deps;
    const endsAt = clock.monotonic() + budgetMs;
    const leftMs = () => Math.max(0, Math.ceil(Math.min(this.#options.timeoutMs, endsAt - clock.monotonic())));
    const answer = await this.#askOne(address, packet, 'udp', leftMs());
    if (!answer || (answer[2]! & TRUNCATED) === 0) return answer;
    return (await this.#askOne(address, packet, 'tcp', leftMs())) ?? answer;
  }

  /** Undefined when it does not answer, or says that it cannot. */
  async #askOne(
    address: RecursorAddress,
    packet: Uint8Array,
    transport: 'udp' | 'tcp',
    timeoutMs: number,
  ): Promise<Uint8Array | undefined> {
    const { clock, random, log } = this.#deps;
    this.#checkRoom();
    this.#inFlight++;
    const since = clock.monotonic();
    const id = Math.floor(random.next() * 0x10000);
    let answer: Uint8Array;
    try {
      answer = await exchange({ clock }, address, { packet: withId(packet, id), transport, timeoutMs });
    } catch (error) {
      this.#outcomes.add(1, { outcome: 'failed' });
      this.#order.silent(address, since);
      log.debug('a recursor did not answer', { recursor: address.host, err: error });
      return undefined;
    } finally {
      this.#inFlight--;
    }
    this.#order.answered(address);
    const rcode = answer[3]! & 0x0f;
    const knows = rcode === NOERROR || rcode === NXDOMAIN;
    this.#outcomes.add(1, { outcome: knows ? 'answered' : 'refused' });
    return knows ? answer : undefined;
  }

  #checkRoom(): void {
    if (this.#inFlight < MAX_IN_FLIGHT) return;
    throw new AppError('queueFull', `${MAX_IN_FLIGHT} questions to recursors are under way`);
  }
}

function withId(packet: Uint8Array, id: number): Uint8Array {
  const copy = new Uint8Array(packet); // slice() of a Buffer would share its bytes
  copy[0] = id >> 8;
  copy[1] = id & 0xff;
  return copy;
}
