import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import type { EtcdClient } from './etcd-client.ts';
import { EtcdError } from './etcd-error.ts';
import type { Follower } from './follower.ts';
import { decodeHead, encodeHead, type Head } from './layout.ts';
import type { Loader } from './loader.ts';
import type { EtcdKeyValue, TxnRequest } from './messages.ts';
import type { Content, Replica } from './replica.ts';

const RETRY_MS = 100;
/** How long the watch may take to bring what etcd says is there before it is opened anew. */
const CATCH_UP_MS = 2000;
/** The last attempt takes so long, however late it is. */
const MIN_ATTEMPT_MS = 200;

/** A transaction whose outcome may have to be looked for. */
export interface Sought {
  readonly id: string;
  /** How often everything had been loaded anew when it began. */
  readonly loads: number;
  /** Whether the watch has brought it since. */
  seen: boolean;
}

/** What became of it, and the head that says so, when that is not known yet. */
export interface Resolution {
  readonly outcome: 'committed' | 'refused' | 'unknown';
  readonly kv?: EtcdKeyValue;
}

export interface OutcomeSearchDeps {
  readonly client: Pick<EtcdClient, 'txn'>;
  readonly loader: Pick<Loader, 'head'>;
  readonly replica: Replica;
  readonly follower: Pick<Follower, 'restart'>;
  readonly clock: Clock;
  readonly random: Pick<Random, 'uuid'>;
}

/** Finds out what became of transactions that etcd has not answered. One transaction is on its way at a time. */
export class OutcomeSearch {
  readonly #deps: OutcomeSearchDeps;
  readonly #attemptMs: number;
  #sought: Sought | undefined;

  /** `attemptMs`: how long etcd may take for one transaction. */
  constructor(deps: OutcomeSearchDeps, options: { attemptMs: number }) {
    this.#deps = deps;
    this.#attemptMs = options.attemptMs;
    deps.replica.onTransaction = (id) => {
      if (this.#sought?.id === id) this.#sought.seen = true;
    };
  }

  /** Watches for a transaction. To be called before it is sent: what happens to it meanwhile counts, too. */
  begin(id: string): Sought {
    this.#sought = { id, loads: this.#deps.replica.loads, seen: false };
    return this.#sought;
  }

  /**
   * Waits until the replica knows etcd's revision `at`, which etcd told when it was asked about the generation of `seen`, or
   * knows another generation; opens its watch anew when that takes long. Whether the revision is known.
   */
  async catchUp(at: number, { generation }: Content, until: number): Promise<boolean> {
    const { replica, follower, clock } = this.#deps;
    while (!(await replica.reached(at, generation, clock, CATCH_UP_MS))) {
      const moved = replica.content.generation !== generation;
      if (moved || replica.failure || clock.monotonic() >= until) return false;
      follower.restart('starved');
    }
    return true;
  }

  /**
   * Finds out about the last transaction that was begun, which compared the head of `seen`, by putting another head in its
   * place: once that is done, or somebody has done it, the transaction can no longer take effect. `failed` is told what
   * etcd answers meanwhile.
   */
  async resolve(
    sought: Sought,
    seen: Content,
    options: { until: number; failed: (error: unknown) => void },
  ): Promise<Resolution> {
    const { clock, replica } = this.#deps;
    const { until } = options;
    for (;;) {
      if (sought.seen || replica.content.head.id === sought.id) return { outcome: 'committed' };
      // What was loaded does not tell what happened before.
      if (replica.loads !== sought.loads || replica.failure) return { outcome: 'unknown' };
      if (replica.content.headRevision > seen.headRevision) return { outcome: 'refused' };
      const kv = await this.#fence(seen, options);
      if (kv && decodeHead(kv.key, kv.value).id === sought.id) return { outcome: 'committed', kv };
      if (kv) await this.catchUp(kv.modRevision, seen, until);
      if (clock.monotonic() >= until && replica.content.headRevision <= seen.headRevision) {
        return { outcome: 'unknown' };
      }
    }
  }

  /** Etcd takes the transaction with which its quota is crossed, and yet answers that there is no space. */
  async crossed(sought: Sought, seen: Content, until: number): Promise<Resolution> {
    const { loader, replica } = this.#deps;
    try {
      const { kv, at } = await loader.head(seen.generation);
      if (kv && decodeHead(kv.key, kv.value).id === sought.id) return { outcome: 'committed', kv };
      if (kv?.modRevision === seen.headRevision) return { outcome: 'refused' };
      // Others have written since.
      const known = await this.catchUp(kv?.modRevision ?? at, seen, until);
      if (sought.seen) return { outcome: 'committed' };
      // What was loaded does not tell what happened before.
      return { outcome: known && replica.loads === sought.loads ? 'refused' : 'unknown' };
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      return { outcome: 'unknown' };
    }
  }

  /** Puts an empty transaction in the place of one without an answer; the head that is there instead, if any. */
  async #fence(
    seen: Content,
    { until, failed }: { until: number; failed: (error: unknown) => void },
  ): Promise<EtcdKeyValue | undefined> {
    const { client, replica, clock, random } = this.#deps;
    const { headRevision, head } = seen;
    const fence: Head = { ...head, id: random.uuid(), previous: headRevision, changes: [] };
    try {
      const leftMs = Math.max(until - clock.monotonic(), MIN_ATTEMPT_MS);
      const response = await client.txn(afterHead(seen, fence, []), Math.min(leftMs, this.#attemptMs));
      if (response.succeeded) replica.applied([], fence, response.header.revision);
      const kv = response.ranges[0]?.kvs[0];
      // The generation is gone with its head: the watch tells of it.
      if (!response.succeeded && !kv) await clock.sleep(RETRY_MS);
      return kv;
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      failed(error);
      await clock.sleep(RETRY_MS);
      return undefined;
    }
  }
}

/** Puts a head and what goes with it in the place of the one that is known; gives the one that is there when another is. */
export function afterHead({ layout, headRevision }: Content, head: Head, ops: TxnRequest['success']): TxnRequest {
  return {
    compares: [{ key: layout.head, modRevision: headRevision }],
    success: [{ kind: 'put', key: layout.head, value: [encodeHead(head)] }, ...grouped(ops)],
    failure: [{ kind: 'range', key: layout.head }],
  };
}

/** What etcd takes by default in one transaction (`--max-txn-ops`) without groups, beside the head. */
export const MAX_UNGROUPED_OPS = 127;
/** Half of them: etcd counts each group by itself, with what is beside it. */
const GROUP_OPS = 64;

/** More operations than etcd takes in one transaction lie in transactions within it. */
function grouped(ops: TxnRequest['success']): TxnRequest['success'] {
  if (ops.length <= MAX_UNGROUPED_OPS) return ops;
  const groups = Array.from({ length: Math.ceil(ops.length / GROUP_OPS) }, (_, at) => at * GROUP_OPS);
  return groups.map((from) => ({ kind: 'all', ops: ops.slice(from, from + GROUP_OPS) }));
}
