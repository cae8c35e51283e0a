import { Backoff } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { RunContext, Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { CounterMetric, Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import type { KubeObject, KubeReader, ResourceKind, WatchEvent } from '../kube-api/kube-api.ts';
import { type ChangeHandler, keyOf, type ObjectKey, type ObjectSource } from '../object-source.ts';
import { ObjectCache } from './object-cache.ts';
import { compareVersions } from './resource-version.ts';

export interface InformerDeps {
  readonly api: KubeReader;
  readonly clock: Clock;
  readonly random: Pick<Random, 'next'>;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface InformerOptions<T extends KubeObject> {
  readonly resource: ResourceKind;
  /** All namespaces when left out. */
  readonly namespace?: string;
  /** Keeps of an object only what is needed, before it is cached. */
  readonly strip: (object: KubeObject) => T;
  /** @default 250: a page of fat pods stays below a few megabytes */
  readonly pageSize?: number;
  /** A watch without any line for so long is dead. @default 90,000: the API server sends a bookmark each minute */
  readonly watchIdleMs?: number;
  /**
   * A list older than what was seen before comes from a server that lags, and is asked for again; after so long it is
   * believed, since the cluster's store was restored from a backup. @default 60,000
   */
  readonly believeOlderAfterMs?: number;
  /** A list that does not end within so many pages is given up. @default 20,000: five million objects */
  readonly maxPages?: number;
}

/** A watch that lasted so long had nothing to do with failures before it, even if it was quiet. */
const HEALTHY_WATCH_MS = 1_000;

/** Where the next round of an informer begins. */
type Position = { readonly resourceVersion: string } | undefined;

/**
 * Keeps a local copy of all objects of a kind: a paged list, then a watch with bookmarks; a new list when the history
 * was compacted. Deletes found by a list are told with cause `relist`. Duplicates and old versions are ignored. It goes
 * on through every error, with jittered back-off, and ends only by its signal.
 */
export class Informer<T extends KubeObject> implements Runnable, ObjectSource<T> {
  readonly name: string;
  readonly kind: string;
  readonly #deps: InformerDeps;
  readonly #options: Required<Omit<InformerOptions<T>, 'namespace'>> & Pick<InformerOptions<T>, 'namespace'>;
  readonly #cache: ObjectCache<T>;
  readonly #backoff: Backoff;
  readonly #relists: CounterMetric;
  readonly #errors: CounterMetric;
  readonly #ignored: CounterMetric;
  /** The newest resource version seen; events up to it are old. */
  #seen = '';
  #olderSince: number | undefined;
  /** Watches one after another that were open and told nothing for all of their time. */
  #silent = 0;
  /** Whether the last list expired between its pages; the next one is then read in one piece. */
  #unpaged = false;
  #contactAt: number;

  constructor(deps: InformerDeps, options: InformerOptions<T>) {
    this.kind = options.resource.kind;
    this.name = `informer of ${options.resource.plural}${options.resource.group && `.${options.resource.group}`}`;
    this.#deps = deps;
    this.#options = { pageSize: 250, watchIdleMs: 90_000, believeOlderAfterMs: 60_000, maxPages: 20_000, ...options };
    this.#contactAt = deps.clock.monotonic();
    const labels = { resource: options.resource.plural };
    const { metrics } = deps;
    const failed = metrics.counter({
      name: 'lictor_operator_informer_handler_errors_total',
      help: 'Handlers of object changes that threw.',
      labels: ['resource'],
    });
    this.#relists = bind(metrics, 'lists', 'Complete lists read from the API server.', labels);
    this.#errors = bind(metrics, 'errors', 'Lists and watches that failed.', labels);
    this.#ignored = bind(metrics, 'ignored', 'Watch events ignored as duplicates or older than what is known.', labels);
    this.#cache = new ObjectCache<T>(
      { log: deps.log, handlerFailed: () => failed.add(1, labels) },
      { kind: this.kind },
    );
    // 5 s at most, so that an API server that comes back is noticed soon; half of it random against herds.
    this.#backoff = new Backoff({ random: deps.random }, { baseMs: 200, maxMs: 5_000, jitter: 0.5 });
  }

  get(key: ObjectKey): T | undefined {
    return this.#cache.get(key);
  }
  list(): Iterable<T> {
    return this.#cache.list();
  }
  get size(): number {
    return this.#cache.size;
  }
  synced(): boolean {
    return this.#cache.synced();
  }
  subscribe(handler: ChangeHandler<T>): () => void {
    return this.#cache.subscribe(handler);
  }
  /** Takes in what a write of ours answered; see ObjectCache.offer. */
  offer(object: KubeObject): void {
    this.#cache.offer(this.#options.strip(object));
  }
  /** Takes in an object that was read by itself; see ObjectCache.renew. */
  renew(object: KubeObject): void {
    this.#cache.renew(this.#options.strip(object));
  }
  /** Milliseconds since the API server last said anything about this kind. */
  staleMs(): number {
    return this.#deps.clock.monotonic() - this.#contactAt;
  }

  /** Ready at once: being synced is `synced()`, so that an absent kind does not keep the process from starting. */
  async run(ctx: RunContext): Promise<void> {
    ctx.ready();
    const { clock } = this.#deps;
    let position: Position;
    while (!ctx.signal.aborted) {
      let watchingSince = Number.POSITIVE_INFINITY;
      try {
        position ??= await this.#relist(ctx.signal);
        watchingSince = clock.monotonic();
        position = await this.#follow(position, ctx.signal);
        // A watch may be cut as soon as it opens, again and again: the pause keeps that from becoming a busy loop.
        await clock.sleep(20 + 80 * this.#deps.random.next(), ctx.signal);
      } catch (error) {
        if (ctx.signal.aborted) return;
        if (clock.monotonic() - watchingSince > HEALTHY_WATCH_MS) this.#backoff.reset();
        position = this.#afterFailure(position, error);
        await clock.sleep(this.#backoff.next(), ctx.signal);
      }
    }
  }

  #afterFailure(position: Position, error: unknown): Position {
    this.#errors.add();
    const level = this.#backoff.failures === 0 ? 'warn' : 'debug';
    this.#deps.log[level]('an informer lost the API server and tries again', {
      resource: this.#options.resource.plural,
      code: error instanceof AppError ? error.code : 'internal',
      text: errorText(error),
      failures: this.#backoff.failures + 1,
    });
    const code = error instanceof AppError ? error.code : undefined;
    if (error instanceof AppError && error.facts.silentMs !== undefined) this.#silent++;
    // A broken link or a silent server says nothing about the history: the watch goes on where it was. One that tells nothing
    // again, not even how far it is, may have gone back in time: then nothing ever comes that is after what was seen.
    const resumable = code === 'unavailable' || (code === 'deadline' && this.#silent < 2) || code === 'rateLimited';
    return resumable && position ? { resourceVersion: this.#seen } : undefined;
  }

  /** Reads the whole list, then applies the difference in one go. */
  async #relist(signal: AbortSignal): Promise<NonNullable<Position>> {
    const { found, resourceVersion } = await this.#readList(signal).catch((error: unknown) => {
      this.#unpaged = error instanceof AppError && error.code === 'compacted';
      throw error;
    });
    this.#unpaged = false;
    if (this.#isOlder(resourceVersion)) {
      throw new AppError(
        'unavailable',
        `a list of ${this.#options.resource.plural} was older than what was seen before`,
      );
    }
    for (const key of [...this.#cache.keys()]) if (!found.has(key)) this.#cache.remove(key, 'relist');
    for (const object of found.values()) this.#cache.put(object, 'relist');
    this.#seen = resourceVersion;
    this.#silent = 0;
    this.#relists.add();
    this.#backoff.reset();
    this.#cache.markSynced();
    return { resourceVersion };
  }

  async #readList(signal: AbortSignal): Promise<{ found: Map<ObjectKey, T>; resourceVersion: string }> {
    const { api } = this.#deps;
    const { resource, namespace, pageSize, maxPages, strip } = this.#options;
    const found = new Map<ObjectKey, T>();
    let continueToken: string | undefined;
    for (let pages = 0; pages < maxPages; pages++) {
      const page = await api.list(resource, { namespace, limit: this.#unpaged ? 0 : pageSize, continueToken }, signal);
      this.#contactAt = this.#deps.clock.monotonic();
      for (const item of page.items) {
        const key = keyOf(item);
        const known = this.#cache.get(key);
        // What is known already is kept as it is: a relist then needs no second copy of everything.
        found.set(key, known && sameVersion(known, item) ? known : strip(item));
      }
      continueToken = page.continueToken;
      if (continueToken === undefined) return { found, resourceVersion: page.resourceVersion };
    }
    throw new AppError('unavailable', `a list of ${resource.plural} did not end after ${maxPages} pages`);
  }

  #isOlder(resourceVersion: string): boolean {
    const order = this.#seen === '' ? undefined : compareVersions(resourceVersion, this.#seen);
    if (order === undefined || order >= 0) {
      this.#olderSince = undefined;
      return false;
    }
    const now = this.#deps.clock.monotonic();
    this.#olderSince ??= now;
    if (now - this.#olderSince < this.#options.believeOlderAfterMs) return true;
    this.#deps.log.warn('the cluster went back in time; its older state is believed now', {
      resource: this.#options.resource.plural,
    });
    this.#olderSince = undefined;
    this.#forgetVersions();
    return false;
  }

  /** After the cluster's store was restored, lower versions are the newer ones. */
  #forgetVersions(): void {
    for (const key of [...this.#cache.keys()]) {
      const object = this.#cache.get(key)!;
      this.#cache.reset({ ...object, metadata: { ...object.metadata, resourceVersion: '' } });
    }
  }

  /** Applies a watch until it ends; gives where the next one begins. */
  async #follow(from: NonNullable<Position>, signal: AbortSignal): Promise<Position> {
    const { resource, namespace, watchIdleMs } = this.#options;
    const events = this.#deps.api.watch(
      resource,
      { namespace, resourceVersion: from.resourceVersion, idleMs: watchIdleMs },
      signal,
    );
    for await (const event of events) {
      this.#contactAt = this.#deps.clock.monotonic();
      this.#silent = 0;
      this.#backoff.reset();
      this.#apply(event);
    }
    return { resourceVersion: this.#seen };
  }

  #apply(event: WatchEvent): void {
    const version = event.object.metadata.resourceVersion ?? '';
    const order = compareVersions(version, this.#seen);
    // A watch tells changes in order, so whatever is not after the newest seen is a repetition or a replay.
    if (order !== undefined && order <= 0) {
      if (event.type !== 'BOOKMARK') this.#ignored.add();
      return;
    }
    this.#seen = version;
    if (event.type === 'BOOKMARK') return;
    if (event.type === 'DELETED') this.#cache.remove(keyOf(event.object), 'watch');
    else this.#cache.put(this.#options.strip(event.object), 'watch');
  }
}

function sameVersion(a: KubeObject, b: KubeObject): boolean {
  return a.metadata.uid === b.metadata.uid && a.metadata.resourceVersion === b.metadata.resourceVersion;
}

function bind(metrics: Metrics, what: string, help: string, labels: { resource: string }): CounterMetric {
  const counter = metrics.counter({ name: `lictor_operator_informer_${what}_total`, help, labels: ['resource'] });
  return { add: (value = 1) => counter.add(value, labels) };
}
