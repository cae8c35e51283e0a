import { isDeepStrictEqual } from 'node:util';
import { watch } from 'chokidar';
import type { Clock, Timer } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import { formatProblem, manifestError } from '../../crds/manifests/load-manifests.ts';
import type { HealthCheck, Intention, Service } from '../../crds/types/index.ts';
import type { ClusterSources } from '../indexes/cluster-view.ts';
import type { ObjectCache } from '../informer/object-cache.ts';
import type { KubeObject } from '../kube-api/kube-api.ts';
import { type ChangeCause, keyOf, type ObjectKey, type ObjectSource } from '../object-source.ts';
import type { StatusSink, WithStatus } from '../status/status-writer.ts';
import { stripSlice } from '../workloads/endpoint-slice.ts';
import { stripPod } from '../workloads/pod.ts';
import { stripResource } from '../workloads/strip-resource.ts';
import { type Caches, emptyCaches, OURS, sourceOf } from './folder-caches.ts';
import { type FolderContent, ManifestFiles } from './manifest-files.ts';
import { sameContent, withServerFields } from './server-fields.ts';

export interface ManifestFolderOptions {
  /** A folder, or one file. */
  readonly path: string;
  /** Read so long after the last change. @default 40 */
  readonly settleMs?: number;
  /** Looked through so often even if the file system told nothing. @default 5,000 */
  readonly rescanMs?: number;
}

/** A reading that has not ended after so long waits for a file system that does not answer. */
const LATE_MS = 30_000;

/** An object that a folder may declare. */
export type DeclaredObject = Service | HealthCheck | Intention;

/**
 * A folder of manifests in the place of an API server: the same sources, fed from files, and statuses kept in memory. A
 * file with a problem keeps its last good objects; what vanishes from the folder is deleted once the whole folder was
 * read, and as far as the sweep guard lets it when most of it vanishes at once.
 */
export class ManifestFolder implements Runnable, StatusSink {
  readonly name = 'manifests';
  readonly sources: ClusterSources;
  readonly intentions: ObjectSource<Intention>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #options: Required<ManifestFolderOptions>;
  readonly #files: Pick<ManifestFiles, 'read'>;
  readonly #caches: Caches;
  readonly #changed = new Set<() => void>();
  #problems: readonly string[] = [];
  #kept: readonly string[] = [];
  #vanished: string | undefined;
  #version = 0;
  #timer: Timer | undefined;
  #reading = false;
  #again = false;

  constructor(
    deps: { clock: Clock; log: Logger; files?: Pick<ManifestFiles, 'read'> },
    options: ManifestFolderOptions,
  ) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#options = { settleMs: 40, rescanMs: 5_000, ...options };
    this.#files = deps.files ?? new ManifestFiles(options.path);
    this.#caches = emptyCaches(deps);
    const { intentions, ...sources } = this.#caches;
    this.sources = sources;
    this.intentions = intentions;
  }

  /** What is wrong with the files now, one line each. */
  get problems(): readonly string[] {
    return this.#vanished ? [...this.#problems, this.#vanished] : this.#problems;
  }

  /** Files (or the folder) with a problem whose last good version still counts. */
  get kept(): readonly string[] {
    return this.#kept;
  }

  /** The declared objects with their statuses: Services, HealthChecks, Intentions, each in the order of their keys. */
  objects(): DeclaredObject[] {
    const byKey = (a: KubeObject, b: KubeObject) => (keyOf(a) < keyOf(b) ? -1 : 1);
    return Object.values(OURS).flatMap((name): DeclaredObject[] => [...this.#caches[name].list()].sort(byKey));
  }

  get(kind: keyof typeof OURS, key: ObjectKey): DeclaredObject | undefined {
    return this.#caches[OURS[kind]].get(key);
  }

  /** Told after the objects, their statuses or the problems changed. Gives the unsubscription. */
  onChange(handler: () => void): () => void {
    this.#changed.add(handler);
    return () => this.#changed.delete(handler);
  }

  async write(object: WithStatus, status: object): Promise<void> {
    const { services, healthChecks, intentions } = this.#caches;
    const key = keyOf(object);
    if (object.kind === 'Service') setStatus(services, key, status);
    else if (object.kind === 'HealthCheck') setStatus(healthChecks, key, status);
    else setStatus(intentions, key, status);
    this.#notify();
  }

  /**
   * Ready after the folder was read once.
   * @throws AppError `config` listing what is wrong with the files at start: what they meant to declare is not known then.
   */
  async run(ctx: RunContext): Promise<void> {
    const watcher = watch(this.#options.path, { ignoreInitial: true });
    watcher.on('all', () => this.#schedule(this.#options.settleMs));
    watcher.on('error', (error) => {
      this.#log.warn('the folder cannot be watched; it is looked through instead', { text: errorText(error) });
    });
    try {
      const first = await this.#read();
      if (first.problems.length > 0) throw manifestError(first.problems);
      this.#apply(first, 'relist');
      ctx.ready();
      this.#schedule(this.#options.settleMs); // what changed before the watcher was set up
      await aborted(ctx.signal);
    } finally {
      this.#timer?.cancel();
      await watcher.close().catch(() => {});
    }
  }

  #schedule(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(ms, () => void this.#rescan());
  }

  async #rescan(): Promise<void> {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    let next = this.#options.rescanMs;
    try {
      const content = await this.#read();
      if (content.unsettled) next = 250;
      const before = this.#version;
      // What an unmounted or half-written folder looks like is not taken for what somebody was seen asking for.
      this.#apply(content, content.vanished ? 'relist' : 'watch');
      this.#note(content, this.#version !== before);
    } catch (error) {
      this.#setProblems([errorText(error)], [this.#options.path]);
    } finally {
      this.#reading = false;
      if (this.#again) next = this.#options.settleMs;
      this.#again = false;
      if (this.#timer) this.#schedule(next);
    }
  }

  /** Reads the files; says so while that does not end. What was read last goes on then. */
  async #read(): Promise<FolderContent> {
    const { path } = this.#options;
    const late = this.#clock.after(LATE_MS, () => {
      const text = `${path}: reading it has not ended after ${LATE_MS / 1000} s; see whether its file system answers`;
      this.#setProblems([...this.#problems, text], this.#caches.services.synced() ? [path] : []);
    });
    try {
      return await this.#files.read(this.#clock.monotonic());
    } finally {
      late.cancel();
    }
  }

  /** Says that most of the folder went at once, until it comes back or something else changes after it. */
  #note({ vanished }: FolderContent, changed: boolean): void {
    if (!vanished && !(changed && this.#vanished)) return;
    this.#vanished = vanished
      ? `${this.#options.path}: ${vanished}; if that is wrong, put them back, as what they declared is removed`
      : undefined;
    if (this.#vanished) this.#log.warn('most of the folder is gone', { text: this.#vanished });
    this.#notify();
  }

  #apply(content: FolderContent, cause: ChangeCause): void {
    this.#setProblems(content.problems.map(formatProblem), content.kept);
    const before = this.#version;
    const found: Record<keyof Caches, KubeObject[]> = {
      pods: [],
      slices: [],
      services: [],
      healthChecks: [],
      intentions: [],
    };
    for (const { object } of content.objects) {
      const kind = sourceOf(object.apiVersion, object.kind);
      if (kind) found[kind].push(object);
    }
    // Workloads first, so that a new Service finds its pods.
    this.#replace(this.#caches.pods, found.pods, stripPod, cause);
    this.#replace(this.#caches.slices, found.slices, stripSlice, cause);
    this.#replace(this.#caches.services, found.services, stripResource<Service>, cause);
    this.#replace(this.#caches.healthChecks, found.healthChecks, stripResource<HealthCheck>, cause);
    this.#replace(this.#caches.intentions, found.intentions, stripResource<Intention>, cause);
    if (this.#version !== before) this.#notify();
  }

  #replace<T extends KubeObject>(
    cache: ObjectCache<T>,
    objects: readonly KubeObject[],
    strip: (object: KubeObject) => T,
    cause: ChangeCause,
  ): void {
    const keys = new Set(objects.map(keyOf));
    for (const key of [...cache.keys()]) {
      if (keys.has(key)) continue;
      this.#version++;
      cache.remove(key, cause);
    }
    for (const object of objects) {
      const old = cache.get(keyOf(object)) as (T & { spec?: unknown; status?: unknown }) | undefined;
      const next = strip(withServerFields(object, old));
      if (old && sameContent(old, next)) continue;
      next.metadata.resourceVersion = String(++this.#version);
      cache.put(next, cause);
    }
    cache.markSynced();
  }

  #setProblems(problems: readonly string[], kept: readonly string[]): void {
    if (isDeepStrictEqual([problems, kept], [this.#problems, this.#kept])) return;
    const text = kept.length > 0 ? `the last good version still serves: ${kept.join(', ')}` : undefined;
    for (const problem of problems)
      if (!this.#problems.includes(problem)) this.#log.warn('a manifest has a problem', { problem, text });
    this.#problems = problems;
    this.#kept = kept;
    this.#notify();
  }

  #notify(): void {
    for (const handler of this.#changed) handler();
  }
}

function setStatus<T extends KubeObject>(cache: ObjectCache<T>, key: ObjectKey, status: object): void {
  const current = cache.get(key);
  if (current) cache.reset({ ...current, status });
}
