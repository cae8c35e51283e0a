import type { Logger } from '../../core/log.ts';
import type { KubeObject } from '../kube-api/kube-api.ts';
import { type ChangeCause, type ChangeHandler, keyOf, type ObjectKey, type ObjectSource } from '../object-source.ts';
import { compareVersions } from './resource-version.ts';

/**
 * The objects of one kind and those who want to hear of changes. A version never replaces a newer one of the same
 * object. A handler that throws is reported and does not keep the others from hearing of the change.
 */
export class ObjectCache<T extends KubeObject> implements ObjectSource<T> {
  readonly kind: string;
  readonly #log: Logger;
  readonly #handlerFailed: () => void;
  readonly #objects = new Map<ObjectKey, T>();
  readonly #handlers = new Set<ChangeHandler<T>>();
  #synced = false;

  constructor(deps: { log: Logger; handlerFailed?: () => void }, options: { kind: string }) {
    this.kind = options.kind;
    this.#log = deps.log;
    this.#handlerFailed = deps.handlerFailed ?? (() => {});
  }

  get size(): number {
    return this.#objects.size;
  }
  get(key: ObjectKey): T | undefined {
    return this.#objects.get(key);
  }
  list(): Iterable<T> {
    return this.#objects.values();
  }
  keys(): Iterable<ObjectKey> {
    return this.#objects.keys();
  }
  synced(): boolean {
    return this.#synced;
  }
  markSynced(): void {
    this.#synced = true;
  }

  subscribe(handler: ChangeHandler<T>): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** Takes a version in, unless the one known is as new or newer. Gives whether it was taken. */
  put(object: T, cause: ChangeCause): boolean {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    if (old && !isNewer(object, old)) return false;
    this.#objects.set(key, object);
    this.#tell(key, old, object, cause);
    return true;
  }

  /** Replaces an object silently, whatever its version. */
  reset(object: T): void {
    this.#objects.set(keyOf(object), object);
  }

  remove(key: ObjectKey, cause: ChangeCause): void {
    const old = this.#objects.get(key);
    if (!old) return;
    this.#objects.delete(key);
    this.#tell(key, old, undefined, cause);
  }

  /**
   * Takes in what a write of ours answered, silently: the change is known to who made it. An object that was deleted or
   * replaced meanwhile stays so.
   */
  offer(object: T): void {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    if (old && old.metadata.uid === object.metadata.uid && isNewer(object, old)) this.#objects.set(key, object);
  }

  /** Takes in what was read besides the watch, and tells. An object that was deleted or replaced meanwhile stays so. */
  renew(object: T): void {
    if (this.#objects.get(keyOf(object))?.metadata.uid === object.metadata.uid) this.put(object, 'watch');
  }

  #tell(key: ObjectKey, old: T | undefined, current: T | undefined, cause: ChangeCause): void {
    for (const handler of this.#handlers) {
      try {
        handler(key, old, current, cause);
      } catch (error) {
        this.#handlerFailed();
        this.#log.error('a handler of object changes failed', { kind: this.kind, key, err: error });
      }
    }
  }
}

function isNewer(object: KubeObject, old: KubeObject): boolean {
  const order = compareVersions(object.metadata.resourceVersion ?? '', old.metadata.resourceVersion ?? '');
  return order === undefined || order > 0;
}
