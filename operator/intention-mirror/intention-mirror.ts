import { Backoff } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import type { RunContext, Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import { SetMap } from '../../core/set-map.ts';
import type { IntentionClient, ShownEntry } from '../intention-client/intention-client.ts';
import { entryDigest } from './entry-digest.ts';
import { META } from './entry-meta.ts';

/** A service-intentions entry, cut down to what is compared. */
export interface MirroredEntry {
  /** As the servers show it; they compare names without regard to case. */
  readonly destination: string;
  readonly modifyIndex: number;
  /** Who wrote it; undefined when it does not say. */
  readonly owner: string | undefined;
  /** The declaring object. */
  readonly ref: string | undefined;
  readonly digest: string;
  /** Of what it was made: the same means the same entry in the same state. */
  readonly version: string;
}

/**
 * Told that the entry of a destination changed, came or went. `write`: by a write of ours, `relist`: found by comparing two
 * complete lists.
 */
export type IntentionHandler = (
  old: MirroredEntry | undefined,
  current: MirroredEntry | undefined,
  cause: 'write' | 'relist',
) => void;

/** How long the servers hold a query that has nothing new. */
const WAIT_MS = 60_000;
/** At most ten lists a second, however fast the entries change. */
const PAUSE_MS = 100;

/**
 * What the servers hold of service-intentions entries, everybody's: a copy kept by blocking queries, each of which gives
 * the complete list. A hint of what has to be looked at; a writer reads the entry again before it writes.
 */
export class IntentionMirror implements Runnable {
  readonly name = 'intention mirror';
  readonly #client: Pick<IntentionClient, 'list'>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #owner: string;
  readonly #backoff: Backoff;
  readonly #handlers = new Set<IntentionHandler>();
  /** By the name in lower case. */
  readonly #entries = new Map<string, MirroredEntry>();
  readonly #byRef = new SetMap<string, MirroredEntry>();
  #size = 0;
  #synced = false;
  #connected = false;

  constructor(
    deps: {
      client: Pick<IntentionClient, 'list'>;
      clock: Clock;
      random: Pick<Random, 'next'>;
      log: Logger;
      metrics: Metrics;
    },
    options: { owner: string },
  ) {
    this.#client = deps.client;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#owner = options.owner;
    this.#backoff = new Backoff({ random: deps.random }, { baseMs: 100, maxMs: 5_000, jitter: 0.5 });
    deps.metrics.observedGauge(
      { name: 'lictor_operator_intention_entries', help: 'service-intentions entries of this owner at the servers.' },
      () => this.#size,
    );
    deps.metrics.observedGauge(
      {
        name: 'lictor_operator_intentions_connected',
        help: 'Whether the service-intentions entries are being followed (1) or not (0).',
      },
      () => (this.#connected ? 1 : 0),
    );
  }

  /** Whether a complete list was read once. */
  synced(): boolean {
    return this.#synced;
  }
  /** How many entries the owner has. */
  get size(): number {
    return this.#size;
  }
  get(destination: string): MirroredEntry | undefined {
    return this.#entries.get(destination.toLowerCase());
  }
  /** The objects that declared the owner's entries. */
  refs(): Iterable<string> {
    return this.#byRef.keys();
  }
  /** The owner's entries that this object declared. */
  byRef(ref: string): Iterable<MirroredEntry> {
    return this.#byRef.get(ref);
  }
  /** Whether the owner wrote it. */
  isOwn(entry: MirroredEntry): boolean {
    return entry.owner === this.#owner && entry.ref !== undefined;
  }

  /**
   * Notes an acknowledged write, which the next list shows. It is told, as it may have come after another Intention has
   * got the destination and found its own entry there.
   */
  wrote(entry: MirroredEntry): void {
    const key = entry.destination.toLowerCase();
    const old = this.#entries.get(key);
    this.#put(key, entry);
    this.#tell(old, entry, 'write');
  }
  /** Notes an acknowledged delete. */
  deleted(destination: string): void {
    const key = destination.toLowerCase();
    const old = this.#entries.get(key);
    this.#drop(key);
    if (old) this.#tell(old, undefined, 'write');
  }

  /** Called for each change of a list before anything else happens. Gives the unsubscription. */
  subscribe(handler: IntentionHandler): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** Ready at once; being complete is `synced()`. */
  async run(ctx: RunContext): Promise<void> {
    ctx.ready();
    let index = 0;
    while (!ctx.signal.aborted) {
      try {
        const list = await this.#client.list({ index, waitMs: WAIT_MS }, ctx.signal);
        // An index that fell is that of a catalog begun anew: what was read before says nothing about it.
        index = list.index < index ? 0 : list.index;
        this.#complete(list.entries);
        await this.#clock.sleep(PAUSE_MS, ctx.signal);
      } catch (error) {
        if (ctx.signal.aborted) return;
        index = 0;
        this.#lost(error);
        await this.#clock.sleep(this.#backoff.next(), ctx.signal);
      }
    }
  }

  #lost(error: unknown): void {
    const level = this.#backoff.failures === 0 ? 'warn' : 'debug';
    this.#connected = false;
    this.#log[level]('the service-intentions entries cannot be read and are asked for again', {
      text: errorText(error),
    });
  }

  #complete(list: readonly ShownEntry[]): void {
    this.#synced = true;
    this.#connected = true;
    this.#backoff.reset();
    const changes: [old: MirroredEntry | undefined, current: MirroredEntry | undefined][] = [];
    const keys = new Set<string>();
    for (const shown of list) {
      const key = shown.Name.toLowerCase();
      keys.add(key);
      const old = this.#entries.get(key);
      if (old?.version === versionOf(shown)) continue;
      const entry = mirrored(shown);
      this.#put(key, entry);
      if (old?.digest !== entry.digest) changes.push([old, entry]);
    }
    for (const [key, old] of this.#entries) {
      if (keys.has(key)) continue;
      this.#drop(key);
      changes.push([old, undefined]);
    }
    for (const [old, current] of changes) this.#tell(old, current, 'relist');
  }

  #put(key: string, entry: MirroredEntry): void {
    this.#drop(key);
    this.#entries.set(key, entry);
    if (!this.isOwn(entry)) return;
    this.#size++;
    this.#byRef.add(entry.ref!, entry);
  }

  #drop(key: string): void {
    const old = this.#entries.get(key);
    if (!old) return;
    this.#entries.delete(key);
    if (!this.isOwn(old)) return;
    this.#size--;
    this.#byRef.delete(old.ref!, old);
  }

  #tell(...change: Parameters<IntentionHandler>): void {
    for (const handler of this.#handlers) handler(...change);
  }
}

/** An entry as it is compared. */
export function mirrored(shown: ShownEntry): MirroredEntry {
  return {
    destination: shown.Name,
    modifyIndex: shown.ModifyIndex,
    owner: shown.Meta?.[META.owner],
    ref: shown.Meta?.[META.ref],
    digest: entryDigest(shown),
    version: versionOf(shown),
  };
}

function versionOf({ CreateIndex, ModifyIndex, Hash }: ShownEntry): string {
  return `${CreateIndex}.${ModifyIndex}.${Hash}`;
}
