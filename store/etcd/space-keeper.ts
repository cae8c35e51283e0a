import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { EtcdClient } from './etcd-client.ts';
import { EtcdError } from './etcd-error.ts';
import { type MemberStatus, NOSPACE_ALARM } from './messages.ts';
import { type SpaceMetrics, spaceMetrics } from './space-metrics.ts';
import { dueForDefragmentation, hasRoom, isNearQuota, leaderLast, mayDefragment } from './space-rules.ts';

export interface SpaceKeeperDeps {
  readonly client: Pick<EtcdClient, 'targets' | 'statusOf' | 'defragment' | 'alarms' | 'disarm' | 'compactPhysically'>;
  /** Etcd's revision that this process knows. */
  readonly known: () => number;
  /** Whether this process wrote the store's newest transaction: so one of several servers does the work. */
  readonly writer: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: Pick<Metrics, 'gauge' | 'counter'>;
}

/** Some 50 MB/s on a slow disk, for the 8 GB that etcd's quota is at most. */
const DEFRAGMENT_MS = 180_000;
/** What takes longer is looked at again the next time. */
const COMPACT_MS = 20_000;
/** Another process works on it, it seems; after so many looks it is taken for gone. */
const PATIENT_LOOKS = 3;
/** Refused writes cut the pause between two looks to this part of it. */
const WAKE_PART = 6;

/** A member that answers, by its position among the endpoints. */
interface Member {
  readonly at: number;
  readonly status: MemberStatus;
}

/**
 * Keeps room in etcd: watches the members' files, forgets history early when the quota comes near, gives free pages back
 * one member at a time with the Raft leader last, and takes the NOSPACE alarm back once there is room again.
 */
export class SpaceKeeper {
  readonly #deps: SpaceKeeperDeps;
  readonly #everyMs: number;
  readonly #metrics: SpaceMetrics;
  #rest = new AbortController();
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** Etcd lets the second physical compaction of one revision wait for ever, so this one is not asked for again. */
  #compacted = 0;
  /** Looks in a row at which there was an alarm. */
  #alarmed = 0;

  constructor(deps: SpaceKeeperDeps, options: { readonly everyMs: number }) {
    this.#deps = deps;
    this.#everyMs = options.everyMs;
    this.#metrics = spaceMetrics(deps.metrics);
  }

  /** Looks soon, because a write was refused for want of room. */
  wake(): void {
    const soon = this.#deps.clock.monotonic() - this.#lookedAt < this.#everyMs / WAKE_PART;
    // While it stays full, looking at every refused write would free nothing more.
    if (this.#alarmed === 0 || !soon) this.#rest.abort();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#rest = new AbortController();
      this.#lookedAt = this.#deps.clock.monotonic();
      try {
        await this.look(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#deps.log.warn('the room in etcd could not be looked after; tried again later', {
          text: errorText(error),
        });
      }
      await this.#deps.clock.sleep(this.#everyMs, AbortSignal.any([signal, this.#rest.signal]));
    }
  }

  /** One look, and what has to be done. */
  async look(signal: AbortSignal): Promise<void> {
    const members = await this.#members();
    if (members.length === 0) return;
    const alarms = (await this.#deps.client.alarms()).alarms.filter(({ type }) => type === NOSPACE_ALARM);
    this.#metrics.alarm(alarms.length > 0);
    this.#alarmed = alarms.length > 0 ? this.#alarmed + 1 : 0;
    if (!this.#deps.writer() && this.#alarmed <= PATIENT_LOOKS) return;
    if (alarms.length > 0) {
      await this.#compact();
      const after = await this.#defragment(await this.#members(), true, signal);
      if (!after.every(({ status }) => hasRoom(status))) {
        this.#deps.log.error(
          'etcd is full of what is in use and stays read-only; raise --quota-backend-bytes of its members',
          { bytes: Math.max(...after.map(({ status }) => status.dbSizeInUse)) },
        );
        return;
      }
      for (const alarm of alarms) await this.#deps.client.disarm(alarm);
      this.#metrics.alarm(false);
      this.#deps.log.info('there is room in etcd again; the NOSPACE alarm was taken back');
      return;
    }
    const near = members.some(({ status }) => isNearQuota(status));
    if (near) await this.#compact();
    await this.#defragment(near ? await this.#members() : members, false, signal);
  }

  async #members(): Promise<Member[]> {
    const { client } = this.#deps;
    const answers = await Promise.allSettled(client.targets.map((_, at) => client.statusOf(at)));
    const members: Member[] = [];
    const seen = new Set<number>();
    for (const [at, answer] of answers.entries()) {
      if (answer.status === 'rejected') continue;
      const { value } = answer;
      this.#metrics.member(client.targets[at]!, value);
      // Two endpoints may lead to one member.
      if (!seen.has(value.header.memberId)) members.push({ at, status: value });
      seen.add(value.header.memberId);
    }
    return members;
  }

  async #compact(): Promise<void> {
    const revision = this.#deps.known();
    // Lower than before when etcd was restored from a backup, which has that history still.
    if (revision === this.#compacted) return;
    try {
      await this.#deps.client.compactPhysically(revision, COMPACT_MS);
    } catch (error) {
      // Done before, or still being done.
      if (!(error instanceof EtcdError && ['compacted', 'timeout'].includes(error.reason))) throw error;
    }
    this.#compacted = revision;
  }

  /** Those that need it, one after another; what the members are like then. `urgent`: every one, also without the others. */
  async #defragment(members: readonly Member[], urgent: boolean, signal: AbortSignal): Promise<Member[]> {
    const { client, log } = this.#deps;
    for (const { at, status } of urgent ? leaderLast(members) : dueForDefragmentation(members)) {
      if (signal.aborted) break;
      // Looked at anew before each one: a member may have failed meanwhile.
      const now = await this.#members();
      if (
        !urgent &&
        !mayDefragment(
          now.map((member) => member.status),
          client.targets.length,
        )
      ) {
        log.warn('etcd has much free space that is not given back, because not all members are well', {
          endpoints: client.targets.length,
          well: now.length,
        });
        break;
      }
      await client.defragment(at, DEFRAGMENT_MS);
      const after = await client.statusOf(at);
      if (after.header.memberId !== status.header.memberId) {
        throw new AppError('unavailable', `endpoint ${client.targets[at]} leads to another member than before`);
      }
      this.#metrics.defragmented();
      log.info('a member of etcd was defragmented', {
        member: client.targets[at],
        before: status.dbSize,
        after: after.dbSize,
      });
    }
    return this.#members();
  }
}
