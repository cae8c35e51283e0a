import type { StreamBackend, StreamSpec } from '../../api/routes/stream-routes.ts';
import { ALL_NAMESPACES, DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { Clock } from '../../core/clock.ts';
import { SetMap } from '../../core/set-map.ts';
import type { ChangeSet } from '../catalog/change-set.ts';
import type { InstanceEntry } from '../catalog/entries.ts';
import { type InstancePlace, namespaceOf, sortKeyOf } from '../catalog/instance-place.ts';
import type { CatalogState } from '../catalog/state.ts';
import { Feed } from './feed.ts';
import { LineCache } from './line-cache.ts';
import { StreamReader, type StreamReaderOptions } from './stream-reader.ts';
import { type Touch, TouchLog, touchesOf } from './touch-log.ts';

export interface StreamHubOptions extends StreamReaderOptions {
  /** Touched instances that are remembered for streams that resume. */
  readonly maxTouches: number;
  /** Of lines that streams may share. */
  readonly maxLineBytes: number;
}

export const STREAM_HUB_DEFAULTS: StreamHubOptions = {
  maxPending: 65_536,
  heartbeatMs: 10_000,
  maxTouches: 32_768,
  maxLineBytes: 8 * 1024 * 1024,
};

/** Lines are handed over in pieces of about this size. */
const CHUNK_BYTES = 32 * 1024;

/**
 * Lets readers follow instances: a snapshot or what has changed since an index, then every change. Streams of one shape
 * share a feed. What a line shows is the state at the time when it is made, so that an instance never goes back.
 */
export class StreamHub implements StreamBackend {
  readonly #state: CatalogState;
  readonly #clock: Clock;
  readonly #options: StreamHubOptions;
  readonly #log: TouchLog;
  readonly #lines: LineCache;
  readonly #feeds = new Map<string, Feed>();
  /** By `namespace/service` (`*` for all of either). */
  readonly #bySubject = new SetMap<string, Feed>();

  constructor(deps: { state: CatalogState; clock: Clock }, options: StreamHubOptions) {
    this.#state = deps.state;
    this.#clock = deps.clock;
    this.#options = options;
    this.#log = new TouchLog(options);
    this.#lines = new LineCache({ maxBytes: options.maxLineBytes });
    deps.state.onChanges((changes, index) => this.#publish(changes, index));
    deps.state.onReset(() => this.#reset());
  }

  /**
   * Lines until the signal aborts. @throws AppError `notSynced` before there is a catalog, `rateLimited` for too many
   * readers; both before the first line.
   */
  async *follow(spec: StreamSpec, from: number, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
    this.#state.assertLoaded();
    const leave = this.#state.topics.admit();
    const reader = new StreamReader({ clock: this.#clock, state: this.#state }, this.#options, signal);
    const feed = this.#join(spec, reader);
    try {
      // From here on touches are noted; nothing is missed however slowly the beginning is read.
      let index = this.#state.applied;
      yield* this.#begin(feed, from, index, reader);
      for (;;) {
        const work = await reader.next();
        if (signal.aborted) return;
        if (work.kind === 'silence') yield line({ Type: 'heartbeat', Index: work.index });
        else if (work.kind === 'snapshot') yield* this.#snapshot(feed, work.index);
        else yield* this.#changes(feed, work.touches, index, work.index);
        index = work.index;
      }
    } finally {
      reader.end();
      this.#leave(feed, reader);
      leave();
    }
  }

  *#begin(feed: Feed, from: number, applied: number, reader: StreamReader): Iterable<Buffer> {
    const touches = from > 0 && from <= applied ? this.#log.since(from) : undefined;
    if (!touches) {
      yield* this.#snapshot(feed, applied);
      return;
    }
    const latest = new Map<string, Touch>();
    for (const touch of touches) {
      if (latest.size > this.#options.maxPending) {
        reader.lose();
        return;
      }
      const key = sortKeyOf(touch.place);
      if (feed.concerns(touch) && !latest.has(key)) latest.set(key, touch);
    }
    yield line({ Type: 'resume', Index: from });
    yield* this.#entries(feed, latest.values(), from);
    yield line({ Type: 'synced', Index: applied });
  }

  *#snapshot(feed: Feed, applied: number): Iterable<Buffer> {
    const entries = [...feed.listed()];
    yield line({ Type: 'snapshot', Index: 0 });
    yield* chunks(this.#upserts(feed, entries));
    yield line({ Type: 'synced', Index: applied });
  }

  *#upserts(feed: Feed, entries: readonly InstanceEntry[]): Iterable<Buffer> {
    for (const known of entries) {
      // Read slowly, this may be of another time than the list: what is gone by now is not shown.
      const entry = this.#entryAt(known.place);
      if (entry && feed.shows(entry)) yield this.#lines.upsert(feed.spec, entry.health(), 0);
    }
  }

  /** Only the last line tells the new index: whoever is cut off before it gets all of them again. */
  *#changes(feed: Feed, touches: readonly Touch[], before: number, applied: number): Iterable<Buffer> {
    yield* this.#entries(feed, touches.slice(0, -1), before);
    yield this.#entryLine(feed, touches.at(-1)!, applied);
  }

  #entries(feed: Feed, touches: Iterable<Touch>, index: number): Iterable<Buffer> {
    const lines = function* (make: (touch: Touch) => Buffer) {
      for (const touch of touches) yield make(touch);
    };
    return chunks(lines((touch) => this.#entryLine(feed, touch, index)));
  }

  #entryLine(feed: Feed, touch: Touch, index: number): Buffer {
    const { place } = touch;
    const entry = this.#entryAt(place);
    if (entry && feed.shows(entry)) return this.#lines.upsert(feed.spec, entry.health(), index);
    return line({
      Type: 'delete',
      Index: index,
      Namespace: namespaceOf(place) || DEFAULT_NAMESPACE,
      Node: place.node.name,
      ServiceID: place.id,
    });
  }

  /** What is there now: the node may have gone and come again. */
  #entryAt({ node, key }: InstancePlace): InstanceEntry | undefined {
    return this.#state.nodeRemains(node.key)?.instances.get(key);
  }

  #publish(changes: ChangeSet, index: number): void {
    this.#log.add(changes, index);
    if (this.#feeds.size === 0) return;
    for (const touch of touchesOf(changes)) {
      const now = this.#entryAt(touch.place);
      for (const feed of this.#concerned(touch)) if (feed.concerns(touch)) feed.touch(touch, now);
    }
  }

  #concerned({ place, services }: Touch): Iterable<Feed> {
    const found = new Set<Feed>();
    for (const space of [namespaceOf(place), ALL_NAMESPACES]) {
      for (const service of [...services, '*']) {
        for (const feed of this.#bySubject.get(`${space}/${service}`)) found.add(feed);
      }
    }
    return found;
  }

  #reset(): void {
    this.#log.clear(this.#state.applied);
    for (const feed of this.#feeds.values()) {
      feed.reload();
      for (const reader of feed.readers) (reader as StreamReader).lose();
    }
  }

  #join(spec: StreamSpec, reader: StreamReader): Feed {
    let feed = this.#feeds.get(spec.key);
    if (!feed) {
      feed = new Feed({ state: this.#state }, spec);
      this.#feeds.set(spec.key, feed);
      for (const subject of subjectsOf(spec)) {
        this.#bySubject.add(subject, feed);
      }
    }
    feed.readers.add(reader);
    return feed;
  }

  #leave(feed: Feed, reader: StreamReader): void {
    feed.readers.delete(reader);
    if (feed.readers.size > 0 || this.#feeds.get(feed.spec.key) !== feed) return;
    this.#feeds.delete(feed.spec.key);
    for (const subject of subjectsOf(feed.spec)) {
      this.#bySubject.delete(subject, feed);
    }
  }
}

function subjectsOf({ namespace, services }: StreamSpec): string[] {
  return [...(services ?? ['*'])].map((service) => `${namespace}/${service}`);
}

/** Lines put together, so that a long list is not written line by line. */
function* chunks(lines: Iterable<Buffer>): Iterable<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  for (const one of lines) {
    held.push(one);
    bytes += one.length;
    if (bytes < CHUNK_BYTES) continue;
    yield Buffer.concat(held);
    held = [];
    bytes = 0;
  }
  if (held.length > 0) yield held.length === 1 ? held[0]! : Buffer.concat(held);
}

function line(event: object): Buffer {
  return Buffer.from(`${JSON.stringify(event)}\n`);
}
