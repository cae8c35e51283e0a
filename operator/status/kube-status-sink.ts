import type { KubeObject, ResourceKind, StatusPatcher } from '../kube-api/kube-api.ts';
import type { StatusSink, WithStatus } from './status-writer.ts';

/** A kind whose status is written, and the local copy that learns of it. */
export interface StatusTarget {
  readonly resource: ResourceKind;
  readonly offer: (object: KubeObject) => void;
}

/** Writes statuses to the API server. What it answers goes into the local copy at once, so its echo is no news. */
export class KubeStatusSink implements StatusSink {
  readonly #api: StatusPatcher;
  readonly #targets: Readonly<Record<string, StatusTarget>>;

  /** `targets` by kind. */
  constructor(deps: { api: StatusPatcher; targets: Readonly<Record<string, StatusTarget>> }) {
    this.#api = deps.api;
    this.#targets = deps.targets;
  }

  async write(object: WithStatus, status: object, signal?: AbortSignal): Promise<void> {
    const { resource, offer } = this.#targets[object.kind ?? '']!;
    const { name, namespace = 'default', resourceVersion = '' } = object.metadata;
    offer(await this.#api.patchStatus(resource, { name, namespace, resourceVersion }, status, signal));
  }
}
