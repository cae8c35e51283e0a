import type * as Grpc from '@grpc/grpc-js';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { Endpoint } from './endpoints.ts';
import { EtcdError, etcdError, otherCluster } from './etcd-error.ts';
import { type EtcdTls, type MemberCall, MemberConnections } from './member-connections.ts';
import {
  type AlarmResponse,
  decodeAlarms,
  decodeHeaderOnly,
  decodeRange,
  decodeStatus,
  decodeTxn,
  decodeWatch,
  type EtcdAlarm,
  encodeAlarm,
  encodeCompaction,
  encodeRange,
  encodeTxn,
  encodeWatchCreate,
  encodeWatchProgress,
  type HeaderOnly,
  type MemberStatus,
  type RangeRequest,
  type RangeResponse,
  type TxnRequest,
  type TxnResponse,
  type WatchCreate,
  type WatchResponse,
} from './messages.ts';

export interface EtcdTimeouts {
  /** One attempt of a read at one member. */
  readonly readAttemptMs: number;
  /** A read over all members. */
  readonly readMs: number;
  /** One transaction. Above etcd's own limit for finding a leader (twice the election timeout and some). */
  readonly writeMs: number;
}

export const DEFAULT_TIMEOUTS: EtcdTimeouts = { readAttemptMs: 2000, readMs: 10_000, writeMs: 7000 };

/** What a watch stream tells. After `lost` nothing more comes. */
export interface WatchListener {
  response(response: WatchResponse): void;
  lost(error: EtcdError): void;
}

export interface WatchStream {
  /** The member it is with. */
  readonly endpoint: string;
  /** Asks for a sign of life: a response without events. */
  probe(): void;
  /** Ends it; the listener hears nothing more. */
  cancel(): void;
  /** The member has fallen silent: all that waits for it ends, the next calls go to another one. */
  giveUp(): void;
}

export interface EtcdClientDeps {
  readonly grpc: typeof Grpc;
  readonly clock: Clock;
}

export interface EtcdClientOptions {
  readonly endpoints: readonly Endpoint[];
  readonly tls?: EtcdTls;
  readonly timeouts: EtcdTimeouts;
}

/** How long members are waited for before the first of them is used. */
const FIRST_LOOK_MS = 1000;
const NOTHING = Buffer.alloc(0);
/** A pause before all members are asked again. */
const RETRY_MS = 100;

/**
 * Calls to etcd, each with a deadline, at one member at a time: the next one is used once one fails. Reads are repeated; a
 * transaction is sent once, because only the caller can find out what became of one without an answer. Where it is known
 * which member leads, transactions go there: any other one would hand them to it, and hear later than it what became of them.
 */
export class EtcdClient {
  readonly #deps: EtcdClientDeps;
  readonly #options: EtcdClientOptions;
  readonly #members: MemberConnections;
  #current = 0;
  /** The member that leads, as the members have last said; undefined also while it is better left alone. */
  #leader: number | undefined;
  #clusterId = 0;
  /** Members that are known to be of this cluster. */
  readonly #known = new Set<number>();

  constructor(deps: EtcdClientDeps, options: EtcdClientOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#members = new MemberConnections(deps.grpc, options.endpoints, options.tls);
  }

  /** New connections use these; calls and watches under way end on the old ones. */
  renewTls(tls: EtcdTls): void {
    this.#members.renewTls(tls);
  }

  /**
   * Asks all members at once, for a moment, so that the one that happens to answer first does not decide which of two
   * clusters is meant. Those that do not answer are looked at when they are used. Calls then begin at the one that leads.
   * @throws AppError `config` naming two endpoints of different clusters.
   */
  async assertOneCluster(): Promise<void> {
    const { timeouts } = this.#options;
    const call = { path: '/etcdserverpb.Maintenance/Status', body: NOTHING, decode: decodeStatus };
    const asked = this.#options.endpoints.map((_, at) =>
      this.#unary(at, call, Math.min(FIRST_LOOK_MS, timeouts.readAttemptMs)),
    );
    const answers = await Promise.allSettled(asked);
    const found = answers.flatMap((answer, at) =>
      answer.status === 'fulfilled' ? [{ at, id: answer.value.header.clusterId, status: answer.value }] : [],
    );
    const other = found.find(({ id }) => id !== found[0]!.id);
    if (!other) {
      for (const { at, status } of found) this.#noteLeader(at, status);
      this.#current = this.#leader ?? this.#current;
      return;
    }
    const names = `${this.#name(found[0]!.at)} and ${this.#name(other.at)}`;
    throw new AppError(
      'config',
      `etcd.endpoints (-etcd-endpoints): ${names} are of different clusters; name the members of one`,
    );
  }

  range(request: RangeRequest): Promise<RangeResponse> {
    return this.#read('/etcdserverpb.KV/Range', encodeRange(request), decodeRange);
  }

  /**
   * Waits for `ms` at most; the default is the configured time.
   * @throws EtcdError; unless its `sent` is false, the transaction may have taken effect or still do so.
   */
  async txn(request: TxnRequest, ms = this.#options.timeouts.writeMs): Promise<TxnResponse> {
    const { clock } = this.#deps;
    const at = this.#leader ?? this.#current;
    const until = clock.monotonic() + ms;
    try {
      // Nothing is written into a cluster that merely happens to answer.
      if (!this.#known.has(at)) await this.#unaryRange(at, ms);
      const call = { path: '/etcdserverpb.KV/Txn', body: encodeTxn(request), decode: decodeTxn };
      return this.#checked(await this.#unary(at, call, until - clock.monotonic()), at);
    } catch (error) {
      this.#passOver(at, error);
      throw error;
    }
  }

  /** Forgets history before the revision. Repeating it does no harm. */
  compact(revision: number): Promise<HeaderOnly> {
    return this.#read('/etcdserverpb.KV/Compact', encodeCompaction(revision), decodeHeaderOnly);
  }

  /** As `compact`, and waits until it is done at the member in use, for `ms` at most. */
  compactPhysically(revision: number, ms: number): Promise<HeaderOnly> {
    const body = encodeCompaction(revision, true);
    const call = { path: '/etcdserverpb.KV/Compact', body, decode: decodeHeaderOnly, patient: true };
    return this.#once(this.#current, call, ms);
  }

  /** Where the members are, as configured; their positions are those that the next calls take. */
  get targets(): readonly string[] {
    return this.#options.endpoints.map(({ target }) => target);
  }

  /** What one member says of itself. Asked once. */
  async statusOf(member: number): Promise<MemberStatus> {
    const call = { path: '/etcdserverpb.Maintenance/Status', body: NOTHING, decode: decodeStatus };
    const status = await this.#once(member, call, this.#options.timeouts.readAttemptMs);
    this.#noteLeader(member, status);
    return status;
  }

  /** Gives back the free pages of one member's file, while which it answers nothing. */
  defragment(member: number, ms: number): Promise<HeaderOnly> {
    const path = '/etcdserverpb.Maintenance/Defragment';
    const call = { path, body: NOTHING, decode: decodeHeaderOnly, patient: true };
    this.#leaveAlone(member);
    return this.#once(member, call, ms);
  }

  alarms(): Promise<AlarmResponse> {
    return this.#read('/etcdserverpb.Maintenance/Alarm', encodeAlarm(), decodeAlarms);
  }

  /** Takes an alarm back; nothing when it is not there. */
  disarm(alarm: EtcdAlarm): Promise<AlarmResponse> {
    return this.#read('/etcdserverpb.Maintenance/Alarm', encodeAlarm(alarm), decodeAlarms);
  }

  status(): Promise<MemberStatus> {
    return this.#read('/etcdserverpb.Maintenance/Status', NOTHING, decodeStatus);
  }

  /** Opens a watch at the member in use. A member that has lost its leader ends it (metadata `hasleader`). */
  watch(request: WatchCreate, listener: WatchListener): WatchStream {
    const at = this.#current;
    const stream = this.#members.stream('/etcdserverpb.Watch/Watch', at, (bytes) => {
      return this.#checked(decodeWatch(bytes), at);
    });
    let over = false;
    const lose = (error: EtcdError): void => {
      if (over) return;
      over = true;
      stream.cancel();
      this.#passOver(at, error);
      listener.lost(error);
    };
    stream.on('data', (response: WatchResponse) => {
      if (!over) listener.response(response);
    });
    stream.on('error', (error: Grpc.ServiceError) => lose(this.#failure(error, at, 'the watch')));
    stream.on('end', () => lose(etcdError({ code: 14, details: 'the stream has ended' }, this.#name(at))));
    stream.write(encodeWatchCreate(request));
    return {
      endpoint: this.#name(at),
      probe: () => stream.write(encodeWatchProgress()),
      cancel: () => {
        over = true;
        stream.cancel();
      },
      giveUp: () => {
        over = true;
        stream.cancel();
        if (at === this.#current) this.moveOn();
        this.#leaveAlone(at);
        this.#members.giveUp(at);
      },
    };
  }

  /** The next calls, but transactions where the leader is known, go to another member. */
  moveOn(): void {
    this.#current = (this.#current + 1) % this.#members.count;
  }

  close(): void {
    this.#members.close();
  }

  async #read<T extends HeaderOnly>(path: string, body: Buffer, decode: (bytes: Buffer) => T): Promise<T> {
    const { clock } = this.#deps;
    const { readAttemptMs, readMs } = this.#options.timeouts;
    const until = clock.monotonic() + readMs;
    for (let attempt = 1; ; attempt++) {
      const at = this.#current;
      const leftMs = until - clock.monotonic();
      try {
        return this.#checked(await this.#unary(at, { path, body, decode }, Math.min(readAttemptMs, leftMs)), at);
      } catch (error) {
        if (!this.#passOver(at, error) || this.#members.closed || clock.monotonic() + RETRY_MS >= until) throw error;
        if (attempt % this.#members.count === 0) await clock.sleep(RETRY_MS);
      }
    }
  }

  async #once<T extends HeaderOnly>(at: number, call: MemberCall<T>, ms: number): Promise<T> {
    return this.#checked(await this.#unary(at, call, ms), at);
  }

  async #unaryRange(at: number, ms: number): Promise<void> {
    const body = encodeRange({ key: Buffer.from([1]), limit: 1, keysOnly: true });
    const call = { path: '/etcdserverpb.KV/Range', body, decode: decodeRange };
    try {
      this.#checked(await this.#unary(at, call, Math.min(ms, this.#options.timeouts.readAttemptMs)), at);
    } catch (error) {
      throw error instanceof EtcdError ? error.neverSent() : error;
    }
  }

  async #unary<T>(at: number, call: MemberCall<T>, ms: number): Promise<T> {
    if (this.#members.closed) throw new AppError('shuttingDown', 'the connection to etcd is closed');
    // grpc-js measures deadlines by the machine's wall clock.
    const deadline = this.#deps.clock.now() + Math.max(1, ms);
    try {
      return await this.#members.unary(at, call, deadline);
    } catch (error) {
      throw this.#failure(error as Grpc.ServiceError, at, call.path.split('/').at(-1)!);
    }
  }

  /** Turns to the next member when this one cannot answer; whether asking again makes sense. */
  #passOver(at: number, error: unknown): boolean {
    if (!(error instanceof EtcdError) || !error.mayPass) return false;
    if (at === this.#current) this.moveOn();
    this.#leaveAlone(at);
    return true;
  }

  #noteLeader(at: number, { leader, header }: MemberStatus): void {
    if (leader !== 0 && leader === header.memberId) this.#leader = at;
    else this.#leaveAlone(at);
  }

  /** Transactions are not sent to this member because it leads, until it has said again that it does. */
  #leaveAlone(at: number): void {
    if (at === this.#leader) this.#leader = undefined;
  }

  /** Refuses an answer of another cluster than before: half of a list of endpoints may be somebody else's. */
  #checked<T extends HeaderOnly>(answer: T, at: number): T {
    const { clusterId } = answer.header;
    if (this.#clusterId === 0) this.#clusterId = clusterId;
    if (clusterId !== 0 && clusterId !== this.#clusterId) throw otherCluster(this.#name(at));
    this.#known.add(at);
    return answer;
  }

  #failure(error: Grpc.ServiceError, at: number, what: string): EtcdError {
    if (error.code === this.#deps.grpc.status.CANCELLED) {
      return etcdError({ code: error.code, details: 'it has fallen silent' }, `${what} at ${this.#name(at)}`);
    }
    // Without grpc-js's note about the address, which is empty mostly.
    const details = (error.details || errorText(error)).replace(/(\s*\([^()]*Z\))?\. Resolution note: *$/, '');
    return etcdError({ code: error.code, details }, `${what} at ${this.#name(at)}`);
  }

  #name(at: number): string {
    return `etcd ${this.#options.endpoints[at]!.target}`;
  }
}
