import type { ObjectMeta } from '../../crds/kubernetes-meta.ts';

/** Any Kubernetes object as far as every kind is alike. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/** Where a kind lives in the API. `group` is '' for the core group. */
export interface ResourceKind {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
}

/** One page of a list. All pages of a list belong to the same `resourceVersion`. */
export interface ListPage {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
  /** Present when there are more pages. */
  readonly continueToken?: string;
}

/** One event of a watch. A bookmark carries only `metadata.resourceVersion`. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: KubeObject;
}

/** What the informer asks of the API server. */
export interface KubeReader {
  /**
   * One page of a consistent (quorum) list.
   * @throws AppError `compacted` when the continue token is too old, `notFound` when the kind is not served,
   * `permissionDenied`, `unavailable`, `deadline`.
   */
  list(
    resource: ResourceKind,
    options: { readonly namespace?: string; readonly limit: number; readonly continueToken?: string },
    signal: AbortSignal,
  ): Promise<ListPage>;
  /**
   * The changes after `resourceVersion`, with bookmarks. Ends when the server closes the stream.
   * @throws AppError `compacted` when that version is no longer kept, `deadline` when nothing (not even a bookmark)
   * came for `idleMs` (the fact `silentMs` says so) or it was not opened in time, `decode`, `tooLarge`, `unavailable`.
   */
  watch(
    resource: ResourceKind,
    options: { readonly namespace?: string; readonly resourceVersion: string; readonly idleMs: number },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent>;
}

/** Names one object. */
export interface ObjectRef {
  readonly namespace: string;
  readonly name: string;
}

/** Writes the status subresource, and reads what it belongs to. */
export interface StatusPatcher {
  /** One object as it is now (by quorum); undefined when the API server says that there is none. Needs the right to list only. */
  readObject(resource: ResourceKind, target: ObjectRef, signal?: AbortSignal): Promise<KubeObject | undefined>;
  /**
   * Merge patch of `.status`, refused when the object is no longer at `resourceVersion`. Gives the object as it is now.
   * @throws AppError `conflict`, `notFound`, `badRequest`.
   */
  patchStatus(
    resource: ResourceKind,
    target: ObjectRef & { readonly resourceVersion: string },
    status: object,
    signal?: AbortSignal,
  ): Promise<KubeObject>;
}

/** A core/v1 Event, as far as we write it. */
export interface KubeEvent extends KubeObject {
  involvedObject: { apiVersion: string; kind: string; namespace: string; name: string; uid?: string };
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
  count: number;
  firstTimestamp: string;
  lastTimestamp: string;
  source: { component: string };
  reportingComponent: string;
  reportingInstance: string;
}

/** Writes Events. */
export interface EventWriter {
  createEvent(event: KubeEvent, signal?: AbortSignal): Promise<void>;
  /** Raises the count of an Event written before. @throws AppError `notFound` when it has expired. */
  patchEvent(target: ObjectRef, change: { count: number; lastTimestamp: string }, signal?: AbortSignal): Promise<void>;
}

/** A coordination.k8s.io/v1 Lease. Times are RFC 3339 with microseconds. */
export interface Lease extends KubeObject {
  spec: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

/** Reads and writes one Lease, optimistically locked by its resourceVersion. */
export interface LeaseApi {
  /** Undefined when the API server says that there is none. */
  getLease(target: ObjectRef, signal?: AbortSignal): Promise<Lease | undefined>;
  /** @throws AppError `conflict` when another was faster. */
  createLease(lease: Lease, signal?: AbortSignal): Promise<Lease>;
  /** @throws AppError `conflict` when the lease is no longer at its resourceVersion. */
  updateLease(lease: Lease, signal?: AbortSignal): Promise<Lease>;
}

/** Everything the operator asks of the API server. Every call has a deadline and rejects with an AppError. */
export interface KubeApi extends KubeReader, StatusPatcher, EventWriter, LeaseApi {}

/** The path of a collection. */
export function collectionPath(resource: ResourceKind, namespace?: string): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${scope}/${resource.plural}`;
}
