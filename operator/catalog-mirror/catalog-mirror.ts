import { isDeepStrictEqual } from 'node:util';
import type { CheckStatus } from '../../api/shapes/catalog.ts';
import type { OwnedEvent, OwnedInstance } from '../../api/shapes/owned.ts';
import { Backoff } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { RunContext, Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import type { CatalogClient } from '../catalog-client/catalog-client.ts';
import type { ChangeCause } from '../object-source.ts';
import { share } from '../workloads/shared-text.ts';
import { OwnWrites, type WriteOutcome } from './own-writes.ts';

/** Of an output no more is kept than a status may show. */
const MAX_OUTPUT_BYTES = 256;

/** Told that entries of a declaring object changed. `relist`: found by comparing a snapshot with what was known. */
export type MirrorHandler = (ref: string, cause: ChangeCause) => void;

/** A check of an entry, cut down to what statuses show. */
export interface MirrorCheck {
  readonly id: string;
  readonly status: CheckStatus;
  /** '' while passing; at most 256 bytes. */
  readonly output: string;
}

/** An instance in the catalog, cut down to what is needed, as there are many. */
export interface MirrorEntry {
  readonly namespace: string;
  readonly node: string;
  readonly id: string;
  /** The name of its service. */
  readonly service: string;
  readonly address: string;
  readonly port: number;
  /** The declaring object. */
  readonly ref: string;
  readonly hash: string;
  readonly checks: readonly MirrorCheck[];
}

/**
 * What the catalog holds of one owner: a copy kept by a stream, indexed by declaring object. Its links may break at any
 * time; it reconnects, and compares the new snapshot with what it knew.
 */
export class CatalogMirror implements Runnable {
  readonly name = 'catalog mirror';
  readonly #client: Pick<CatalogClient, 'followOwned'>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #owner: string;
  readonly #backoff: Backoff;
  readonly #handlers = new Set<MirrorHandler>();
  readonly #writes: OwnWrites;
  #entries = new Map<string, MirrorEntry>();
  readonly #byRef = new Map<string, Map<string, MirrorEntry>>();
  /** The entries of a snapshot that is not complete yet. */
  #snapshot: Map<string, MirrorEntry> | undefined;
  #synced = false;
  #connected = false;

  constructor(
    deps: {
      client: Pick<CatalogClient, 'followOwned'>;
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
    this.#writes = new OwnWrites(deps);
    this.#backoff = new Backoff({ random: deps.random }, { baseMs: 100, maxMs: 5_000, jitter: 0.5 });
    deps.metrics.observedGauge(
      { name: 'lictor_operator_catalog_entries', help: 'Instances of this owner in the catalog.' },
      () => this.#entries.size,
    );
    deps.metrics.observedGauge(
      { name: 'lictor_operator_catalog_connected', help: 'Whether the catalog is being followed (1) or not (0).' },
      () => (this.#connected ? 1 : 0),
    );
  }

  /** Whether a complete snapshot was read once. */
  synced(): boolean {
    return this.#synced;
  }
  get connected(): boolean {
    return this.#connected;
  }
  /** How many entries the owner has. */
  get size(): number {
    return this.#entries.size;
  }
  refs(): Iterable<string> {
    return this.#byRef.keys();
  }
  get(key: string): MirrorEntry | undefined {
    return this.#entries.get(key);
  }
  /** Entries that this object declared, without those whose removal or taking over was just acknowledged. */
  *byRef(ref: string): Iterable<readonly [key: string, entry: MirrorEntry]> {
    for (const entry of this.#byRef.get(ref) ?? []) {
      const expected = this.#writes.expected(entry[0]);
      if (!expected || (expected.ref === ref && expected.hash !== undefined)) yield entry;
    }
  }
  /** The digest of what was declared, as the catalog has it or is about to; undefined when there is no such entry. */
  hashOf(key: string, ref: string): string | undefined {
    const found = this.#writes.expected(key) ?? this.#entries.get(key);
    return found?.ref === ref ? found.hash : undefined;
  }
  /** Whether the catalog still has to show a write that was acknowledged. */
  isPending(key: string): boolean {
    return this.#writes.expected(key) !== undefined;
  }
  /** Entries that this object wrote, or tried to, and that the catalog may yet show. */
  coming(ref: string): Iterable<string> {
    return this.#writes.coming(ref);
  }
  /** Sends a write of ours, which counts as done from its acknowledgement on; see OwnWrites.send. */
  write(key: string, outcome: WriteOutcome, send: () => Promise<void>): Promise<void> {
    return this.#writes.send(key, outcome, send);
  }

  subscribe(handler: MirrorHandler): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** Ready at once; being complete is `synced()`. */
  async run(ctx: RunContext): Promise<void> {
    ctx.ready();
    while (!ctx.signal.aborted) {
      try {
        for await (const event of this.#client.followOwned(this.#owner, ctx.signal)) this.#apply(event);
        if (!ctx.signal.aborted) this.#lost(new AppError('unavailable', 'the stream ended'));
      } catch (error) {
        if (ctx.signal.aborted) return;
        this.#lost(error);
      }
      await this.#clock.sleep(this.#backoff.next(), ctx.signal);
    }
  }

  #lost(error: unknown): void {
    const level = this.#backoff.failures === 0 ? 'warn' : 'debug';
    this.#connected = false;
    this.#snapshot = undefined;
    this.#log[level]('the stream of our catalog entries broke and is opened again', {
      owner: this.#owner,
      text: errorText(error),
    });
  }

  #apply(event: OwnedEvent): void {
    switch (event.Type) {
      case 'snapshot':
        this.#snapshot = new Map();
        return;
      case 'upsert': {
        const entry = entryOf(event.Instance);
        const key = mirrorKey(entry.namespace, entry.node, entry.id);
        if (this.#snapshot) this.#snapshot.set(key, entry);
        else this.#put(key, entry, 'watch');
        return;
      }
      case 'delete': {
        const key = mirrorKey(event.Namespace, event.Node, event.ServiceID);
        if (this.#snapshot) this.#snapshot.delete(key);
        else this.#remove(key, 'watch');
        return;
      }
      case 'synced':
        this.#complete();
        return;
      default:
        return; // a heartbeat: the client's deadman has seen it
    }
  }

  #complete(): void {
    const snapshot = this.#snapshot;
    if (!snapshot) return;
    this.#snapshot = undefined;
    this.#synced = true;
    this.#connected = true;
    this.#backoff.reset();
    this.#writes.clear();
    for (const key of [...this.#entries.keys()]) if (!snapshot.has(key)) this.#remove(key, 'relist');
    for (const [key, entry] of snapshot) {
      if (!isDeepStrictEqual(this.#entries.get(key), entry)) this.#put(key, entry, 'relist');
    }
  }

  #put(key: string, entry: MirrorEntry, cause: ChangeCause): void {
    const old = this.#entries.get(key);
    this.#writes.shown(key, entry);
    this.#entries.set(key, entry);
    if (old && old.ref !== entry.ref) this.#unindex(key, old.ref);
    let entries = this.#byRef.get(entry.ref);
    if (!entries) {
      entries = new Map();
      this.#byRef.set(entry.ref, entries);
    }
    entries.set(key, entry);
    if (old && old.ref !== entry.ref) this.#tell(old.ref, cause);
    this.#tell(entry.ref, cause);
  }

  #remove(key: string, cause: ChangeCause): void {
    const old = this.#entries.get(key);
    this.#writes.shown(key, undefined);
    if (!old) return;
    this.#entries.delete(key);
    this.#unindex(key, old.ref);
    this.#tell(old.ref, cause);
  }

  #unindex(key: string, ref: string): void {
    const entries = this.#byRef.get(ref);
    entries?.delete(key);
    if (entries?.size === 0) this.#byRef.delete(ref);
  }

  #tell(ref: string, cause: ChangeCause): void {
    for (const handler of this.#handlers) handler(ref, cause);
  }
}

/** Identity of an instance in the catalog. */
export function mirrorKey(namespace: string, node: string, id: string): string {
  return `${namespace}\0${node}\0${id}`;
}

function entryOf(instance: OwnedInstance): MirrorEntry {
  return {
    namespace: share(instance.Namespace),
    node: share(instance.Node),
    id: instance.ServiceID,
    service: share(instance.ServiceName),
    address: instance.Address,
    port: instance.Port,
    ref: share(instance.Ref),
    hash: instance.Hash,
    checks: instance.Checks.map(({ CheckID, Status, Output }) => ({
      id: CheckID,
      status: STATUSES[Status],
      // The output of a passing check is shown nowhere.
      output: Status === 'passing' ? '' : share(cutBytes(Output, MAX_OUTPUT_BYTES)),
    })),
  };
}

/** The same text object for the same state. */
const STATUSES: Readonly<Record<CheckStatus, CheckStatus>> = {
  passing: 'passing',
  warning: 'warning',
  critical: 'critical',
};

/** At most `max` bytes of UTF-8, never half a character. */
export function cutBytes(text: string, max: number): string {
  if (Buffer.byteLength(text) <= max) return text;
  const bytes = Buffer.from(text);
  let end = max;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}
