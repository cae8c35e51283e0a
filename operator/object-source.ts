import type { KubeObject } from './kube-api/kube-api.ts';

/** `<namespace>/<name>`: the identity of an object within its kind. */
export type ObjectKey = string;

/**
 * How a change became known. `watch`: it was seen happening. `relist`: it was found by comparing a complete list with
 * what was known before (at start, after a gap), so a missing object is inferred to be deleted.
 */
export type ChangeCause = 'watch' | 'relist';

/** Told of each change, in order, at once; must not block. `old` or `current` is undefined for an add or a delete. */
export type ChangeHandler<T> = (key: ObjectKey, old: T | undefined, current: T | undefined, cause: ChangeCause) => void;

/** A local copy of all objects of one kind. Objects handed out are shared and must not be modified. */
export interface ObjectSource<T extends KubeObject = KubeObject> {
  /** The kind, for logs. */
  readonly kind: string;
  get(key: ObjectKey): T | undefined;
  list(): Iterable<T>;
  /** Whether a complete list was read once; until then nothing may be concluded from an absence. */
  synced(): boolean;
  /** From now on; objects known already are not told again. Gives the unsubscription. */
  subscribe(handler: ChangeHandler<T>): () => void;
}

/** The key of an object; a namespace left out is `default`. */
export function keyOf(object: KubeObject): ObjectKey {
  return objectKey(object.metadata.namespace ?? 'default', object.metadata.name);
}

export function objectKey(namespace: string, name: string): ObjectKey {
  return `${namespace}/${name}`;
}

/** Splits a key. Neither part can contain a slash in Kubernetes. */
export function splitKey(key: ObjectKey): { namespace: string; name: string } {
  const at = key.indexOf('/');
  return { namespace: key.slice(0, at), name: key.slice(at + 1) };
}
