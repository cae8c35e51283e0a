import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { OwnedCheck, OwnedEvent, OwnedInstance } from '../../api/shapes/owned.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { Pause } from '../../core/pause.ts';
import { SetMap } from '../../core/set-map.ts';
import type { OwnedChange } from './change-set.ts';
import type { CheckEntry, InstanceEntry } from './entries.ts';
import type { CatalogState } from './state.ts';

export interface OwnedHubOptions {
  /** Events that a follower may lag behind before it is cut off. */
  readonly maxQueued: number;
  /** Followers of all owners together. */
  readonly maxFollowers: number;
  readonly heartbeatMs: number;
}

/** Silence of at most this long on a stream; followers take more for a dead link. */
const HEARTBEAT_MS = 10_000;
export const OWNED_HUB_DEFAULTS: OwnedHubOptions = { maxQueued: 65_536, maxFollowers: 1000, heartbeatMs: HEARTBEAT_MS };

/**
 * Lets owners follow their instances with the joined state of their checks. Each change is made into one event, whoever
 * follows; a follower that does not keep up is cut off and begins again with a snapshot.
 */
export class OwnedHub {
  readonly #state: CatalogState;
  readonly #clock: Clock;
  readonly #options: OwnedHubOptions;
  readonly #followers = new SetMap<string, Follower>();
  #count = 0;

  constructor(deps: { state: CatalogState; clock: Clock }, options: OwnedHubOptions = OWNED_HUB_DEFAULTS) {
    this.#state = deps.state;
    this.#clock = deps.clock;
    this.#options = options;
    deps.state.onOwnedChanges((changes, index) => this.#publish(changes, index));
    deps.state.onReset(() => this.#cutAll());
  }

  /**
   * A snapshot, then deltas, then heartbeats in times of silence. Ends when the signal aborts.
   * @throws AppError `notSynced`, `rateLimited` for too many followers, `queueFull` when it is cut off for being slow,
   * `compacted` when the history has a gap.
   */
  async *follow(owner: string, signal: AbortSignal): AsyncGenerator<OwnedEvent, void, void> {
    this.#state.assertLoaded();
    if (this.#count >= this.#options.maxFollowers) {
      throw new AppError('rateLimited', `too many followers of owned instances (${this.#options.maxFollowers})`);
    }
    // From here on deltas queue up; the snapshot may thus show some of them twice, but never misses one.
    const follower = new Follower(this.#clock, this.#options, signal);
    this.#add(owner, follower);
    try {
      const index = this.#state.applied;
      yield { Type: 'snapshot', Index: index };
      const entries = [...this.#state.ownedInstances(owner)];
      for (const { node, key } of entries) {
        const entry = node.instances.get(key);
        if (signal.aborted) return;
        if (entry?.stored.record.owner === owner)
          yield { Type: 'upsert', Index: index, Instance: ownedInstance(entry) };
      }
      yield { Type: 'synced', Index: index };
      for (;;) {
        const event = await follower.next();
        if (signal.aborted) return;
        yield event ?? { Type: 'heartbeat', Index: this.#state.applied };
      }
    } finally {
      this.#remove(owner, follower);
    }
  }

  #publish(changes: Iterable<OwnedChange>, index: number): void {
    if (this.#count === 0) return;
    for (const { before, after } of changes) {
      const oldOwner = before?.stored.record.owner ?? '';
      const newOwner = after?.stored.record.owner ?? '';
      if (before && oldOwner !== '' && oldOwner !== newOwner) this.#send(oldOwner, () => deleteEvent(before, index));
      if (after && newOwner !== '') {
        this.#send(newOwner, () => ({ Type: 'upsert', Index: index, Instance: ownedInstance(after) }));
      }
    }
  }

  /** Makes the event once, and only when somebody follows. */
  #send(owner: string, make: () => OwnedEvent): void {
    if (!this.#followers.has(owner)) return;
    const event = make();
    for (const follower of this.#followers.get(owner)) follower.push(event);
  }

  #cutAll(): void {
    for (const followers of this.#followers.values()) {
      for (const follower of followers) {
        follower.fail(new AppError('compacted', 'the catalog was loaded anew; begin again with a snapshot'));
      }
    }
  }

  #add(owner: string, follower: Follower): void {
    this.#count++;
    this.#followers.add(owner, follower);
  }

  #remove(owner: string, follower: Follower): void {
    follower.end();
    if (this.#followers.delete(owner, follower)) this.#count--;
  }
}

/** The bounded queue of one follower. */
class Follower {
  readonly #pause: Pause;
  readonly #options: OwnedHubOptions;
  readonly #signal: AbortSignal;
  readonly #onAbort = () => this.#pause.resume();
  #events: OwnedEvent[] = [];
  #at = 0;
  #failure: AppError | undefined;

  constructor(clock: Clock, options: OwnedHubOptions, signal: AbortSignal) {
    this.#pause = new Pause(clock);
    this.#options = options;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  push(event: OwnedEvent): void {
    if (this.#failure) return;
    if (this.#events.length - this.#at >= this.#options.maxQueued) {
      this.fail(new AppError('queueFull', `the follower is more than ${this.#options.maxQueued} events behind`));
      return;
    }
    this.#events.push(event);
    this.#pause.resume();
  }

  /** What is queued is dropped: nothing that follows a gap may be seen. */
  fail(error: AppError): void {
    this.#failure = error;
    this.#events = [];
    this.#at = 0;
    this.#pause.resume();
  }

  /** The next event; undefined when it is time for a heartbeat, or the signal aborted. @throws why it was cut off. */
  async next(): Promise<OwnedEvent | undefined> {
    if (this.#at >= this.#events.length && !this.#failure && !this.#signal.aborted)
      await this.#pause.wait(this.#options.heartbeatMs);
    if (this.#failure) throw this.#failure;
    if (this.#at >= this.#events.length) return undefined;
    const event = this.#events[this.#at++];
    if (this.#at === this.#events.length) {
      this.#events = [];
      this.#at = 0;
    }
    return event;
  }

  end(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#pause.resume();
  }
}

/** Without its digest while a check of it cannot be read: its owner sees the difference and registers both anew. */
function ownedInstance(entry: InstanceEntry): OwnedInstance {
  const { namespace, node, content, ref, hash } = entry.stored.record;
  const nodeChecks = entry.node.checksByInstance.get('') ?? [];
  const checks = entry.checks() ?? [];
  return {
    Namespace: namespace,
    Node: entry.node.name || node,
    ServiceID: content.ID,
    ServiceName: content.Service,
    Address: content.Address || (entry.node.shape?.Address ?? ''),
    Port: content.Port,
    Ref: ref,
    Hash: checks.some(({ isUnread }) => isUnread) ? '' : hash,
    Checks: [...nodeChecks, ...checks].map(ownedCheck),
  };
}

function ownedCheck(check: CheckEntry): OwnedCheck {
  const { checkId, name, owner, ref } = check.definition!.record;
  return { CheckID: checkId, Name: name, Status: check.status, Output: check.output, Owner: owner, Ref: ref };
}

function deleteEvent(entry: InstanceEntry, index: number): OwnedEvent {
  const { namespace, content, ref } = entry.stored.record;
  return {
    Type: 'delete',
    Index: index,
    Namespace: namespace || DEFAULT_NAMESPACE,
    Node: entry.node.name,
    ServiceID: content.ID,
    Ref: ref,
  };
}
