/** The parts of Kubernetes' ObjectMeta that we use, in their JSON form (times as RFC 3339 text). */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  /** Opaque; compared for equality only. */
  resourceVersion?: string;
  /** Raised by the API server on every change of the spec. */
  generation?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  creationTimestamp?: string;
  deletionTimestamp?: string;
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}
