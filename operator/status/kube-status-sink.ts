import { AppError, errorText } from '../../core/errors.ts';
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
    const { resource, offer } = this.#targets[object.kind ?? '']!;
    const { name, namespace = 'default', resourceVersion = '' } = object.metadata;
    try {
      offer(await this.#api.patchStatus(resource, { name, namespace, resourceVersion }, status, signal));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (error.code === 'conflict') await this.#renew(object, signal).catch(() => {}); // the watch, or the next try, brings it
      if (error.code === 'notFound') await this.#assertGone(object, error, signal);
      throw error;
    }
  }

  /** Reads the object and takes it in. Gives whether there is one. */
  async #renew({ kind, metadata }: WithStatus, signal?: AbortSignal): Promise<boolean> {
    const { resource, renew } = this.#targets[kind ?? '']!;
    const { name, namespace = 'default' } = metadata;
    const found = await this.#api.readObject(resource, { name, namespace }, signal);
    if (found) renew(found);
    return found !== undefined;
  }

  /** A kind that is not served for a while is not found either. @throws AppError `unavailable` unless there is no object. */
  async #assertGone(object: WithStatus, refusal: AppError, signal?: AbortSignal): Promise<void> {
    const there = await this.#renew(object, signal).catch((cause: unknown) => {
      throw new AppError('unavailable', `${refusal.message}; nor can the object be read: ${errorText(cause)}`, {
        cause,
      });
    });
    if (there) throw new AppError('unavailable', `${refusal.message}, yet the object is there`);
  }
}
