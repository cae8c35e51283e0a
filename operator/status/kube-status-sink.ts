import { AppError } from '../../core/errors.ts';
import type { KubeObject, ResourceKind, StatusPatcher } from '../kube-api/kube-api.ts';
import type { StatusSink, WithStatus } from './status-writer.ts';

/** A kind whose status is written, and the local copy that learns of it. */
export interface StatusTarget {
  readonly resource: ResourceKind;
  /** Takes in what a write answered. */
  readonly offer: (object: KubeObject) => void;
  /** Takes in what was read, and tells. */
  readonly renew: (object: KubeObject) => void;
}

/**
 * Writes statuses to the API server. What it answers goes into the local copy at once, so its echo is no news. After a
 * conflict the object is read, as the watch may be far behind: the next try goes by what is there.
 */
export class KubeStatusSink implements StatusSink {
  readonly #api: StatusPatcher;
  readonly #targets: Readonly<Record<string, StatusTarget>>;

  /** `targets` by kind. */
  constructor(deps: { api: StatusPatcher; targets: Readonly<Record<string, StatusTarget>> }) {
    this.#api = deps.api;
    this.#targets = deps.targets;
  }

  async write(object: WithStatus, status: object, signal?: AbortSignal): Promise<void> {
    const { resource, offer, renew } = this.#targets[object.kind ?? '']!;
    const { name, namespace = 'default', resourceVersion = '' } = object.metadata;
    try {
      offer(await this.#api.patchStatus(resource, { name, namespace, resourceVersion }, status, signal));
    } catch (error) {
      if (error instanceof AppError && error.code === 'conflict') {
        // When it cannot be read either, the watch or the next try brings it.
        const found = await this.#api.readObject(resource, { name, namespace }, signal).catch(() => undefined);
        if (found) renew(found);
      }
      throw error;
    }
  }
}
