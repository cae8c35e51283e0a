import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { RunContext, Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import type { Compare, Revision, Store, StoreEntry } from '../../store/store.ts';
import { LEADER_BEAT_KEY, LEADER_KEY, LEADER_RANGE } from '../catalog/keys.ts';
import type { RevisionGate } from '../catalog/revision-gate.ts';
import { ClockOffset, encodeBeat, wallClockOf } from './clock-offset.ts';
import { type LeaderRecord, readLeaderRecord } from './leader-record.ts';
import type { Leadership, ServerPlace } from './leadership.ts';

export interface ElectedLeadershipDeps {
  readonly store: Pick<Store, 'barrier' | 'commit' | 'problem' | 'read' | 'revision' | 'watch'>;
  /** Knows what the own state shows. */
  readonly gate: RevisionGate;
  readonly state: { readonly loaded: boolean };
  readonly clock: Clock;
  readonly random: Pick<Random, 'next'>;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** The leader says so often that it is there. */
const BEAT_MS = 400;
/** It is sure of leading so long after the beginning of its last commit. */
const LEASE_MS = 1500;
/** The others wait so long without hearing anything, and up to as long again by chance, so that one is first. */
const SILENCE_MS = 1900;
const SPREAD_MS = 300;
const TICK_MS = 100;
/** A tick this late means that this process was stopped itself: it cannot tell whether others were silent. */
const OWN_GAP_MS = 700;
/** For the state to show what the store has. */
const CATCH_UP_MS = 10_000;
const RETRY_MS = 500;
/** The leader tells its wall clock at least so often. */
const TIME_MS = 60_000;

/** The store's record of the leader as this server knows it. */
interface Known {
  readonly record: LeaderRecord | undefined;
  readonly modRevision: Revision;
}

const NOBODY: Known = { record: undefined, modRevision: 0 };

/**
 * Servers of one store agree by compare-and-set on who leads. The leader writes a beat; one that hears nothing for longer
 * than the leader may be sure of itself takes over with the next epoch. Only durations are compared, each on one machine.
 * Two never lead at once: commits compare the record of the leader, whatever the clocks say.
 */
export class ElectedLeadership implements Leadership, Runnable {
  readonly name = 'leadership';
  readonly #deps: ElectedLeadershipDeps;
  readonly #self: ServerPlace;
  readonly #offset: ClockOffset;
  readonly #waiting = new Set<() => void>();
  #known: Known = NOBODY;
  #beatRevision: Revision = 0;
  /** Of the record that this server wrote itself and leads by; 0 while it does not lead. */
  #mine: Revision = 0;
  #sureUntilMs = 0;
  #heardRevision: Revision = 0;
  /** Whether the record of the leader has been read. */
  #synced = false;
  #heardAtMs: number;
  #silenceMs = SILENCE_MS;
  /** Whether a record under the own name is that of an earlier process. */
  #fresh = true;
  #claiming = false;
  /** Of the next try to lead. */
  #notBeforeMs = 0;
  #beating = false;
  #beatAtMs = 0;

  constructor(deps: ElectedLeadershipDeps, self: ServerPlace) {
    this.#deps = deps;
    this.#self = self;
    this.#heardAtMs = deps.clock.monotonic();
    this.#offset = new ClockOffset(deps);
    deps.metrics.observedGauge({ name: 'lictor_leadership_epoch', help: 'How often a leader was elected' }, () => {
      return this.#known.record?.epoch ?? 0;
    });
  }

  leads(): boolean {
    return this.#mine !== 0 && this.#deps.clock.monotonic() < this.#sureUntilMs;
  }

  leader(): ServerPlace | undefined {
    if (this.#mine !== 0) return this.leads() ? this.#self : undefined;
    const { record } = this.#known;
    if (!record || record.resigned || record.id === this.#self.id) return undefined;
    return this.#silentForMs() < this.#silenceMs ? record : undefined;
  }

  hindrance(): string | undefined {
    return this.#deps.store.problem?.();
  }

  lastContactMs(): number {
    return this.leads() ? 0 : this.#silentForMs();
  }

  fence(): readonly Compare[] {
    if (!this.leads()) throw new AppError('noLeader', 'No cluster leader');
    return [{ kind: 'key', key: LEADER_KEY, modRevision: this.#mine }];
  }

  confirmed(begunAtMs: number): void {
    if (this.#mine === 0) return;
    const before = this.leads();
    this.#sureUntilMs = Math.max(this.#sureUntilMs, begunAtMs + LEASE_MS);
    if (!before && this.leads()) this.#tell();
  }

  deposed(): void {
    if (this.#mine === 0) return;
    this.#mine = 0;
    this.#deps.log.warn('this server leads no longer', { epoch: this.#known.record?.epoch });
    this.#tell();
  }

  async barrier(): Promise<void> {
    const { store, gate, clock } = this.#deps;
    const revision = await store.barrier();
    if (!(await gate.reached(revision, { clock, withinMs: CATCH_UP_MS }))) {
      throw new AppError('deadline', 'this server has not caught up with the others yet; retry');
    }
    if (!this.leads()) throw new AppError('noLeader', 'No cluster leader');
  }

  async changed(withinMs: number, signal?: AbortSignal): Promise<void> {
    const over = new AbortController();
    const done = () => over.abort();
    this.#waiting.add(done);
    signal?.addEventListener('abort', done);
    if (signal?.aborted) done();
    await this.#deps.clock.sleep(withinMs, over.signal);
    this.#waiting.delete(done);
    signal?.removeEventListener('abort', done);
  }

  async run(ctx: RunContext): Promise<void> {
    const { clock } = this.#deps;
    const following = this.#follow(ctx.signal);
    ctx.ready();
    let last = clock.monotonic();
    while (!ctx.signal.aborted) {
      await clock.sleep(TICK_MS, ctx.signal);
      const now = clock.monotonic();
      if (now - last > TICK_MS + OWN_GAP_MS) this.#heard(now);
      last = now;
      if (!ctx.signal.aborted) this.#tick(now);
    }
    await following;
    try {
      if (this.#mine !== 0) await this.#resign({});
    } catch (error) {
      this.#deps.log.info('the others were not told that this server leaves', { text: errorText(error) });
    }
  }

  #tick(now: number): void {
    const revision = this.#deps.store.revision();
    if (revision !== this.#heardRevision) {
      this.#heardRevision = revision;
      this.#heard(now);
    }
    if (this.#mine !== 0) {
      this.#beat().catch(() => {});
      return;
    }
    if (this.#mayClaim()) void this.#claim();
  }

  #heard(now: number): void {
    const silent = this.#silentForMs() >= this.#silenceMs;
    this.#heardAtMs = now;
    this.#silenceMs = SILENCE_MS + this.#deps.random.next() * SPREAD_MS;
    // Whoever leads counts again.
    if (silent) this.#tell();
  }

  #silentForMs(): number {
    return Math.max(0, this.#deps.clock.monotonic() - this.#heardAtMs);
  }

  #mayClaim(): boolean {
    const { state, clock } = this.#deps;
    if (this.#claiming || !this.#synced || !state.loaded || clock.monotonic() < this.#notBeforeMs) return false;
    const { record } = this.#known;
    if (!record || (record.resigned && (record.successor ?? this.#self.id) === this.#self.id)) return true;
    if (record.id === this.#self.id && !record.resigned && this.#fresh) return true;
    return this.#silentForMs() >= this.#silenceMs;
  }

  /** Takes over from whoever led, if nothing was heard of it meanwhile. */
  async #claim(): Promise<void> {
    const { store, gate, clock, random, log } = this.#deps;
    const before = this.#known;
    const epoch = (before.record?.epoch ?? 0) + 1;
    this.#claiming = true;
    try {
      const begun = clock.monotonic();
      const record: LeaderRecord = { ...this.#self, epoch };
      const result = await store.commit({
        compares: [
          { kind: 'key', key: LEADER_KEY, modRevision: before.modRevision },
          { kind: 'key', key: LEADER_BEAT_KEY, modRevision: this.#beatRevision },
        ],
        ops: [{ kind: 'put', key: LEADER_KEY, value: Buffer.from(JSON.stringify(record)) }],
      });
      // Another one was first, or the leader has said something that is not known here yet.
      if (!result.ok) return;
      this.#fresh = false;
      // Everything that the leader before acknowledged is shown from here on.
      if (!(await gate.reached(result.revision, { clock, withinMs: CATCH_UP_MS }))) return;
      if (this.#known.modRevision > result.revision) return;
      this.#known = { record, modRevision: result.revision };
      this.#mine = result.revision;
      this.#sureUntilMs = begun + LEASE_MS;
      this.#offset.leads();
      log.info('this server leads', { epoch });
      this.#tell();
    } catch (error) {
      log.warn('this server could not take over', { text: errorText(error) });
    } finally {
      this.#claiming = false;
      this.#notBeforeMs = clock.monotonic() + RETRY_MS * (0.5 + random.next() / 2);
    }
  }

  async #beat(): Promise<void> {
    const { store, clock, log } = this.#deps;
    const begun = clock.monotonic();
    // Other commits say as well that it leads, but not what time it is.
    const needless = this.#sureUntilMs - begun > LEASE_MS - BEAT_MS && begun - this.#beatAtMs < TIME_MS;
    if (this.#beating || needless) return;
    this.#beating = true;
    this.#beatAtMs = begun;
    try {
      const mine = this.#mine;
      const result = await store.commit({
        compares: [{ kind: 'key', key: LEADER_KEY, modRevision: mine }],
        ops: [{ kind: 'put', key: LEADER_BEAT_KEY, value: encodeBeat(this.#known.record?.epoch ?? 0, clock.now()) }],
      });
      if (mine !== this.#mine) return;
      if (result.ok) this.confirmed(begun);
      else this.deposed();
    } catch (error) {
      log.debug('a beat of the leader was not stored', { text: errorText(error) });
      if (clock.monotonic() >= this.#sureUntilMs) this.#tell();
    } finally {
      this.#beating = false;
    }
  }

  async resign(to: string): Promise<void> {
    if (!this.leads()) throw new AppError('noLeader', 'No cluster leader');
    this.#deps.log.info('this server lets another one lead', { to });
    await this.#resign({ successor: to });
  }

  /** Leads no longer, and lets another one do so at once. */
  async #resign(to: Pick<LeaderRecord, 'successor'>): Promise<void> {
    const mine = this.#mine;
    const { record } = this.#known;
    this.#mine = 0;
    this.#tell();
    await this.#deps.store.commit({
      compares: [{ kind: 'key', key: LEADER_KEY, modRevision: mine }],
      ops: [{ kind: 'put', key: LEADER_KEY, value: Buffer.from(JSON.stringify({ ...record, ...to, resigned: true })) }],
    });
  }

  /** Follows the store's record of the leader; what is missed is read anew. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { store, clock, log } = this.#deps;
    while (!signal.aborted) {
      try {
        const { entries, revision } = await store.read(LEADER_RANGE);
        for (const entry of entries) this.#learn(entry);
        this.#synced = true;
        this.#heard(clock.monotonic());
        for await (const { changes } of store.watch(LEADER_RANGE, revision, signal)) {
          for (const change of changes) if (change.kind === 'put') this.#heardOf(change.entry);
        }
      } catch (error) {
        if (signal.aborted) return;
        log.debug('the record of the leader is read anew', { text: errorText(error) });
        await clock.sleep(RETRY_MS, signal);
      }
    }
  }

  #heardOf(entry: StoreEntry): void {
    this.#learn(entry);
    const theirMs = entry.key === LEADER_BEAT_KEY && this.#mine === 0 ? wallClockOf(entry.value) : undefined;
    if (theirMs !== undefined) this.#offset.heard(theirMs, this.#known.record?.name);
  }

  #learn({ key, value, modRevision }: StoreEntry): void {
    if (key === LEADER_BEAT_KEY) this.#beatRevision = modRevision;
    if (key !== LEADER_KEY || modRevision <= this.#known.modRevision) return;
    const record = readLeaderRecord(value);
    this.#known = { record, modRevision };
    this.#heard(this.#deps.clock.monotonic());
    if (this.#mine !== 0 && modRevision > this.#mine) this.deposed();
    else this.#tell();
  }

  #tell(): void {
    for (const done of [...this.#waiting]) done();
  }
}
