import type { Clock, Timer } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { CatalogState } from '../catalog/state.ts';
import { EndQueue } from './end-queue.ts';
import { bindingProblem, ttlMs } from './session-rules.ts';
import type { SessionEntry, SessionTable } from './session-table.ts';
import type { SessionWriter } from './session-writer.ts';

export interface SessionKeeperDeps {
  readonly state: CatalogState;
  readonly table: SessionTable;
  readonly writer: Pick<SessionWriter, 'end' | 'cleanUp' | 'removeOldDelays'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

interface Deadline {
  atMs: number;
  /** It was put off once because this process had been stopped. */
  spared: boolean;
  timer: Timer;
}

/** A session lives this many times its TTL after its last sign of life: Consul leaves clients time for slow renewals. */
const TTL_FACTOR = 2;
/** A timer this late means that the process was stopped itself: renewals may wait to be read. */
const OWN_GAP_MS = 1000;
/** Ends under way at a time. */
const MAX_ENDING = 16;
/** Dead sessions whose keys are tidied up at a time: nobody waits for that, others are to write meanwhile. */
const MAX_CLEANING = 1;
const DELAY_SWEEP_MS = 1000;

/**
 * Ends sessions whose time is over, or whose node or checks no longer carry them. Deadlines are kept in memory and begin
 * anew with a new leader or a new load, as in Consul: nobody knows what was renewed just before.
 */
export class SessionKeeper implements Runnable {
  readonly name = 'sessions';
  readonly #deps: SessionKeeperDeps;
  readonly #deadlines = new Map<string, Deadline>();
  readonly #ends: EndQueue;
  readonly #cleanUps: EndQueue;
  #running = false;
  #stopUnmarking: () => void = () => {};

  constructor(deps: SessionKeeperDeps) {
    const { table, writer } = deps;
    this.#deps = deps;
    this.#ends = new EndQueue(deps, {
      atATime: MAX_ENDING,
      work: (id) => writer.end(id),
      wanted: (id) => this.#running && table.isEnding(id) && !this.#isDead(id),
    });
    this.#cleanUps = new EndQueue(deps, {
      atATime: MAX_CLEANING,
      work: (id) => writer.cleanUp(id),
      wanted: (id) => this.#running && this.#isDead(id),
    });
    deps.metrics.observedGauge({ name: 'lictor_sessions_ending', help: 'Sessions whose end is not stored yet' }, () => {
      return this.#ends.size + this.#cleanUps.size;
    });
    const help = 'Sessions that end unless they are renewed';
    deps.metrics.observedGauge({ name: 'lictor_sessions_with_ttl', help }, () => this.#deadlines.size);
  }

  async run(ctx: RunContext): Promise<void> {
    const { state, table } = this.#deps;
    const stops = [
      state.onReset(() => this.#begin()),
      state.onChanges((changes, index) => {
        for (const { key } of changes.nodes) for (const entry of table.onNode(key)) this.#check(entry, index);
      }),
      table.listen({ added: (entry) => this.#added(entry), removed: (id) => this.#forget(id) }),
    ];
    this.#running = true;
    this.#begin();
    ctx.ready();
    const sweeping = this.#sweepDelays(ctx.signal);
    // Its deadlines end with its term, whatever the sweep still waits for: another server may have heard of renewals.
    await aborted(ctx.signal);
    this.#running = false;
    for (const stop of stops) stop();
    for (const { timer } of this.#deadlines.values()) timer.cancel();
    this.#deadlines.clear();
    this.#letGo();
    await sweeping;
  }

  /**
   * Another server decides from now on: what was to end and is not stored lives again. That shows with the next change,
   * as only then the index rises.
   */
  #letGo(): void {
    this.#ends.clear();
    this.#cleanUps.clear();
    const { state, table } = this.#deps;
    this.#stopUnmarking();
    this.#stopUnmarking = state.onChanges((_changes, index) => {
      this.#stopUnmarking();
      if (!this.#running) table.unmarkEnding(index);
    });
  }

  /** A sign of life of the client. */
  renewed(id: string): void {
    const entry = this.#deps.table.find(id);
    if (entry && this.#running) this.#arm(entry);
  }

  /** After a load: all get their full time again; what does not live any more ends. */
  #begin(): void {
    for (const { timer } of this.#deadlines.values()) timer.cancel();
    this.#deadlines.clear();
    this.#ends.clear();
    this.#cleanUps.clear();
    this.#deps.table.unmarkEnding(this.#deps.state.applied);
    for (const entry of [...this.#deps.table.entries()]) {
      this.#added(entry);
      this.#check(entry, this.#deps.state.applied);
    }
  }

  #added(entry: SessionEntry): void {
    const { ID: id } = entry.shape;
    // Nobody knows how long it was to live, nor what it was bound to.
    if (entry.broken) {
      this.#forget(id);
      return;
    }
    if (!this.#isDead(id)) {
      this.#arm(entry);
      return;
    }
    this.#forget(id);
    this.#cleanUps.add(id);
  }

  #isDead(id: string): boolean {
    return this.#deps.table.stored(id)?.stored.record.deadSinceMs !== undefined;
  }

  #forget(id: string): void {
    this.#deadlines.get(id)?.timer.cancel();
    this.#deadlines.delete(id);
    this.#ends.delete(id);
    this.#cleanUps.delete(id);
  }

  #arm(entry: SessionEntry): void {
    const ttl = ttlMs(entry.shape);
    if (ttl === 0) return;
    const { clock } = this.#deps;
    const { ID: id } = entry.shape;
    const atMs = clock.monotonic() + TTL_FACTOR * ttl;
    const known = this.#deadlines.get(id);
    // Renewals come often: the timer that runs looks again when it fires.
    if (known) Object.assign(known, { atMs, spared: false });
    else this.#deadlines.set(id, { atMs, spared: false, timer: clock.after(TTL_FACTOR * ttl, () => this.#due(id)) });
  }

  #due(id: string): void {
    const deadline = this.#deadlines.get(id);
    if (!deadline) return;
    const { clock } = this.#deps;
    const left = deadline.atMs - clock.monotonic();
    if (left > 0) {
      deadline.timer = clock.after(left, () => this.#due(id));
      return;
    }
    if (left < -OWN_GAP_MS && !deadline.spared) {
      this.#spare(id, deadline);
      return;
    }
    this.#deadlines.delete(id);
    this.#deps.log.info('a session was not renewed in time', { session: id });
    this.#deps.table.markEnding(id, { wallMs: this.#deps.clock.now() });
    this.#ends.add(id);
  }

  /** Its client gets one time to live more: it could not renew while this process was stopped. */
  #spare(id: string, deadline: Deadline): void {
    const { clock, table } = this.#deps;
    const entry = table.find(id);
    if (!entry) return;
    const ttl = ttlMs(entry.shape);
    Object.assign(deadline, { atMs: clock.monotonic() + ttl, spared: true });
    deadline.timer = clock.after(ttl, () => this.#due(id));
  }

  #check(entry: SessionEntry, index: number): void {
    const { state, table, log, clock } = this.#deps;
    const { namespace, content } = entry.stored.record;
    if (entry.broken || !table.find(entry.shape.ID)) return;
    const problem = bindingProblem(content, state.node(content.Node), namespace);
    if (!problem) return;
    log.info('a session ends with what it is bound to', { session: entry.shape.ID, reason: problem });
    table.markEnding(entry.shape.ID, { wallMs: clock.now(), hiddenAt: index });
    this.#ends.add(entry.shape.ID);
  }

  async #sweepDelays(signal: AbortSignal): Promise<void> {
    const { clock, writer, log } = this.#deps;
    while (!signal.aborted) {
      await clock.sleep(DELAY_SWEEP_MS, signal);
      try {
        while (!signal.aborted && (await writer.removeOldDelays()) > 0);
      } catch (error) {
        log.debug('old lock delays could not be removed yet', { text: errorText(error) });
      }
    }
  }
}
