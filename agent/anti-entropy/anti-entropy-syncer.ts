import type { AgentEntries } from '../../api/shapes/agent-sync.ts';
import type { WriterIdentity } from '../../api/shapes/registration.ts';
import { Backoff } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorRow, errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import { Trouble } from '../../core/trouble.ts';
import type { LocalChange } from '../local-state/local-changes.ts';
import { localKey } from '../local-state/local-records.ts';
import type { ServerCatalog } from '../server-pool/server-catalog.ts';
import {
  differences,
  hasHadTags,
  type NodeIdentity,
  nodeRegistration,
  type OwnedState,
  type SyncUnit,
  syncAction,
  unitOfCheck,
} from './sync-plan.ts';
import { Wakeup } from './wakeup.ts';

export interface AntiEntropySyncerDeps {
  readonly local: OwnedState & {
    onChange(listener: (change: LocalChange) => void): () => void;
    adoptTags(key: string, tags: readonly string[]): void;
  };
  readonly catalog: Pick<ServerCatalog, 'register' | 'deregister' | 'entries'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly random: Pick<Random, 'next'>;
  /** Hears which checks' verdicts differ in the catalog, and when a written unit has set free held-back verdicts. */
  readonly verdicts: { differ(key: string, how: { statusDiffers: boolean }): void; wake(): void };
}

export interface AntiEntropySyncerOptions {
  readonly node: NodeIdentity;
  /** Consul: one minute. */
  readonly fullSyncMs?: number;
}

/** Writes under way at once: enough to hide the round trip, few enough to leave the servers to others. */
const PARALLEL_WRITES = 8;
/** After the servers have been away, a full sync comes this soon (Consul: 3 s after a server joins). */
const RECONNECT_SYNC_MS = 3000;
/** Retries: at once-ish after the first failure, at most Consul's 15 s apart. */
const RETRY = { baseMs: 500, maxMs: 15_000, jitter: 0.5 };
/** Until the node is registered no sign of life is given, and servers that have restarted wait for one for 15 s. */
const NODE_RETRY_MS = 5000;
const NAME_ONE = 'name a server with -retry-join (retry_join in a file), or with lictor join while the agent runs';

/**
 * Brings the catalog to what this agent declares on its node, and nothing else: changes at once, everything every
 * minute. Entries that it owns and no longer declares are removed only after a complete read has shown them.
 */
export class AntiEntropySyncer implements Runnable {
  readonly name = 'anti-entropy';
  readonly #deps: AntiEntropySyncerDeps;
  #node: NodeIdentity;
  readonly #writer: WriterIdentity;
  readonly #fullSyncMs: number;
  readonly #wakeup: Wakeup;
  readonly #backoff: Backoff;
  readonly #trouble: Trouble;
  readonly #dirty = new Set<SyncUnit>();
  readonly #inFlight = new Set<SyncUnit>();
  /** What the servers have refused for good; tried again with the next full sync or change. */
  readonly #refused = new Set<SyncUnit>();
  readonly #waiting = new Map<SyncUnit, (() => void)[]>();
  readonly #results;
  #nodeWritten = false;
  #synced = false;
  #nextFullAtMs = 0;

  constructor(deps: AntiEntropySyncerDeps, options: AntiEntropySyncerOptions) {
    this.#deps = deps;
    this.#node = options.node;
    this.#writer = { owner: `agent/${options.node.nodeName}`, epoch: 0 };
    this.#fullSyncMs = options.fullSyncMs ?? 60_000;
    this.#wakeup = new Wakeup(deps);
    this.#backoff = new Backoff(deps, RETRY);
    this.#trouble = new Trouble(deps);
    this.#results = deps.metrics.counter({
      name: 'lictor_agent_sync_writes_total',
      help: 'Writes of the agent into the catalog, by result',
      labels: ['result'],
    });
    deps.metrics.observedGauge(
      { name: 'lictor_agent_sync_pending', help: 'Services and checks not yet written into the catalog' },
      () => this.#dirty.size + this.#inFlight.size,
    );
  }

  /** Whether a complete comparison with the catalog has been made since the start. */
  synced(): boolean {
    return this.#synced;
  }

  /** Another description of the node (its metadata, after a reload); the catalog gets it with the next sync, which is now. */
  setNode(node: NodeIdentity): void {
    this.#node = node;
    this.#nodeWritten = false;
    this.#wakeup.wake();
  }

  /** Whether the catalog has taken this agent's node since the start. */
  nodeRegistered(): boolean {
    return this.#nodeWritten;
  }

  /** Whether the check's verdict must wait: its registration, which carries a state, is not in the catalog yet. */
  holds(key: string, serviceKey: string | undefined): boolean {
    return this.#isBehind(unitOfCheck(key, serviceKey));
  }

  /** Whether the catalog may not have what is declared. */
  #isBehind(unit: SyncUnit): boolean {
    return this.#dirty.has(unit) || this.#inFlight.has(unit) || this.#refused.has(unit);
  }

  /** Resolves when everything declared up to now was written, refused, or has failed once; at most after `limitMs`. */
  async settled(limitMs: number): Promise<void> {
    const units = [...this.#dirty, ...this.#inFlight];
    if (units.length === 0) return;
    const all = Promise.all(
      units.map(
        (unit) =>
          new Promise<void>((resolve) => {
            const waiting = this.#waiting.get(unit) ?? [];
            waiting.push(resolve);
            this.#waiting.set(unit, waiting);
          }),
      ),
    );
    const limit = new AbortController();
    await Promise.race([all, this.#deps.clock.sleep(limitMs, limit.signal)]);
    limit.abort();
  }

  /** Somebody waits for what is declared here to appear: a server was joined by hand, or the configuration read anew. Compares now. */
  compareNow(): void {
    this.#compareAt(this.#deps.clock.monotonic());
  }

  /** The servers answer again after an absence: compare soon. */
  reconnected(): void {
    this.#compareAt(this.#deps.clock.monotonic() + RECONNECT_SYNC_MS * this.#deps.random.next());
  }

  /** Compares then at the latest, and tries again now what has failed. */
  #compareAt(atMs: number): void {
    this.#nextFullAtMs = Math.min(this.#nextFullAtMs, atMs);
    this.#backoff.reset();
    this.#wakeup.wake();
  }

  /**
   * Ready at once: the first sync is awaited by those who ask `synced`. Writes under way are not waited for at the end:
   * servers that hang must not hold up a stop.
   */
  async run(ctx: RunContext): Promise<void> {
    const unlisten = this.#deps.local.onChange((change) => this.#changed(change));
    ctx.ready();
    try {
      await Promise.race([this.#loop(ctx.signal), aborted(ctx.signal)]);
    } finally {
      unlisten();
    }
  }

  async #loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = await this.#turn(signal);
      await this.#wakeup.sleep(waitMs, signal);
    }
  }

  #changed(change: LocalChange): void {
    if (change.kind === 'verdict') return;
    if (change.kind === 'service') {
      if (!change.fromCatalog) this.#mark(`service ${change.key}`);
      return;
    }
    // The service that a check has left was written with it.
    const left = change.movedFrom && this.#deps.local.serviceByKey(change.movedFrom);
    if (left) this.#mark(`service ${change.movedFrom}`);
    if (change.origin !== 'assigned') {
      this.#mark(unitOfCheck(change.key, change.serviceKey));
      if (!this.#deps.local.check(change.key)) this.#mark(`check ${change.key}`);
    }
  }

  #mark(unit: SyncUnit): void {
    this.#refused.delete(unit);
    this.#dirty.add(unit);
    this.#wakeup.wake();
  }

  /** One round; gives the time until the next one is due. */
  async #turn(signal: AbortSignal): Promise<number> {
    try {
      if (!this.#nodeWritten) await this.#writeNode();
      if (this.#deps.clock.monotonic() >= this.#nextFullAtMs) await this.#compare(signal);
      await this.#writeDirty(signal);
      this.#backoff.reset();
      this.#trouble.over('the catalog is up to date');
      return this.#nextFullAtMs - this.#deps.clock.monotonic();
    } catch (error) {
      if (signal.aborted) return 0;
      for (const unit of [...this.#waiting.keys()]) this.#release(unit);
      this.#results.add(1, { result: 'failed' });
      this.#complain(error);
      return Math.min(this.#backoff.next(), this.#nodeWritten ? RETRY.maxMs : NODE_RETRY_MS);
    }
  }

  /** At once, and each minute while it stays so. */
  #complain(error: unknown): void {
    if (error instanceof AppError && error.facts.servers === 0) {
      this.#trouble.say('no server is known: the services and checks of this agent are in no catalog', NAME_ONE);
    } else this.#trouble.say('the catalog could not be brought up to date; trying again', error);
  }

  async #writeNode(): Promise<void> {
    await this.#deps.catalog.register(nodeRegistration(this.#node), this.#writer);
    this.#nodeWritten = true;
    this.#deps.verdicts.wake();
  }

  async #compare(signal: AbortSignal): Promise<void> {
    const entries = await this.#deps.catalog.entries(this.#node.nodeName, signal);
    if (this.#synced) await this.#writeNode();
    this.#adoptTags(entries);
    const { units, verdicts } = differences(this.#deps.local, entries);
    for (const unit of units) this.#dirty.add(unit);
    this.#refused.clear();
    for (const [key, how] of verdicts) this.#deps.verdicts.differ(key, how);
    this.#synced = true;
    // Spread, so that agents started together do not come together every minute.
    this.#nextFullAtMs = this.#deps.clock.monotonic() + this.#fullSyncMs * (1 + this.#deps.random.next() / 8);
  }

  /**
   * What was declared anew and is still to be written, or was refused, counts for more than what the catalog has, also when
   * it was declared before this start.
   */
  #adoptTags({ Services }: AgentEntries): void {
    const { local } = this.#deps;
    for (const { Namespace, ServiceID, Tags, Hash } of Services) {
      const key = localKey(Namespace, ServiceID);
      if (Tags && !this.#isBehind(`service ${key}`) && hasHadTags(local, key, Hash)) local.adoptTags(key, Tags);
    }
  }

  async #writeDirty(signal: AbortSignal): Promise<void> {
    let failure: unknown;
    const worker = async () => {
      for (;;) {
        const unit = this.#nextDirty();
        if (unit === undefined || failure !== undefined || signal.aborted) return;
        this.#dirty.delete(unit);
        this.#inFlight.add(unit);
        try {
          await this.#write(unit);
        } catch (error) {
          failure = error;
          this.#dirty.add(unit);
        } finally {
          this.#inFlight.delete(unit);
          if (!this.#dirty.has(unit)) this.#release(unit);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL_WRITES, this.#dirty.size) }, worker));
    this.#deps.verdicts.wake();
    if (failure !== undefined) throw failure;
  }

  /** One that nobody is writing: of two writes of one unit the earlier state could come last. Its writer takes it next. */
  #nextDirty(): SyncUnit | undefined {
    for (const unit of this.#dirty) if (!this.#inFlight.has(unit)) return unit;
    return undefined;
  }

  /** @throws what may succeed later; a refusal for good is logged and kept. */
  async #write(unit: SyncUnit): Promise<void> {
    const action = syncAction(this.#deps.local, this.#node, unit);
    try {
      if (action.kind === 'register') {
        await this.#deps.catalog.register(action.registration, { ...this.#writer, hash: action.hash });
      } else {
        const { namespace, serviceId, checkId } = action;
        await this.#deps.catalog.deregister(
          { Node: this.#node.nodeName, ServiceID: serviceId, CheckID: checkId, Namespace: namespace },
          this.#writer,
        );
      }
      this.#results.add(1, { result: 'ok' });
      this.#deps.log.debug(action.kind === 'register' ? 'synced to the catalog' : 'taken out of the catalog', { unit });
    } catch (error) {
      if (errorRow(error).retryable || errorRow(error) === errorRow(undefined)) throw error;
      this.#results.add(1, { result: 'refused' });
      if (action.kind === 'register') this.#refused.add(unit);
      this.#deps.log.warn('the servers refuse what this agent declares', { unit, text: errorText(error) });
    }
  }

  #release(unit: SyncUnit): void {
    for (const resolve of this.#waiting.get(unit) ?? []) resolve();
    this.#waiting.delete(unit);
  }
}
