import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import type * as Grpc from '@grpc/grpc-js';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { Endpoint } from './endpoints.ts';
import { EtcdError, etcdError, otherCluster } from './etcd-error.ts';
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

/** PEM texts. */
export interface EtcdTls {
  /** Of the authority that signed etcd's certificates; the system's own when missing. */
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** The name that etcd's certificate must be for, when it is not the endpoint's. */
  readonly serverName?: string;
}

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

const CHANNEL_OPTIONS = {
  // Not more often than etcd allows (--grpc-keepalive-min-time, 5 s).
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5000,
  // Etcd closes connections that ping while nothing is under way.
  'grpc.keepalive_permit_without_calls': 0,
  // Etcd sends what a page holds; pages are sized by the engine.
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  // Whether a call is repeated is decided here.
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2000,
};
/** Asked for where there is only an address; etcd then shows its one certificate. */
const NO_NAME = 'etcd.invalid';
/** How long members are waited for before the first of them is used. */
const FIRST_LOOK_MS = 1000;
const NOTHING = Buffer.alloc(0);
/** A pause before all members are asked again. */
const RETRY_MS = 100;

/**
 * Calls to etcd, each with a deadline, over one connection at a time: the next member is used once one fails. Reads are
 * repeated; a transaction is sent once, because only the caller can find out what became of one without an answer.
 */
export class EtcdClient {
  readonly #deps: EtcdClientDeps;
  readonly #options: EtcdClientOptions;
  readonly #channels: Grpc.Client[];
  #current = 0;
  #clusterId = 0;
  /** Members that are known to be of this cluster. */
  readonly #known = new Set<number>();
  #closed = false;

  constructor(deps: EtcdClientDeps, options: EtcdClientOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#channels = options.endpoints.map((endpoint) => openChannel(deps.grpc, endpoint, options.tls));
  }

  /** New connections use these; calls and watches under way end on the old ones. */
  renewTls(tls: EtcdTls): void {
    if (this.#closed) return;
    const { endpoints } = this.#options;
    const old = this.#channels.splice(
      0,
      this.#channels.length,
      ...endpoints.map((endpoint) => openChannel(this.#deps.grpc, endpoint, tls)),
    );
    for (const channel of old) channel.close();
  }

  /**
   * Asks all members at once, for a moment, so that the one that happens to answer first does not decide which of two
   * clusters is meant. Those that do not answer are looked at when they are used.
   * @throws AppError `config` naming two endpoints of different clusters.
   */
  async assertOneCluster(): Promise<void> {
    const { timeouts } = this.#options;
    const call = { path: '/etcdserverpb.Maintenance/Status', body: NOTHING, decode: decodeStatus };
    const asked = this.#channels.map((_, at) => this.#unary(at, call, Math.min(FIRST_LOOK_MS, timeouts.readAttemptMs)));
    const answers = await Promise.allSettled(asked);
    const found = answers.flatMap((answer, at) =>
      answer.status === 'fulfilled' ? [{ at, id: answer.value.header.clusterId }] : [],
    );
    const other = found.find(({ id }) => id !== found[0]!.id);
    if (!other) return;
    const names = `${this.#name(found[0]!.at)} and ${this.#name(other.at)}`;
    throw new AppError(
      'config',
      `etcd.endpoints (-etcd-endpoints): ${names} are of different clusters; name the members of one`,
    );
  }

  range(request: RangeRequest): Promise<RangeResponse> {
    return this.#read('/etcdserverpb.KV/Range', encodeRange(request), decodeRange);
  }

  /** @throws EtcdError; unless its `sent` is false, the transaction may have taken effect or still do so. */
  async txn(request: TxnRequest): Promise<TxnResponse> {
    const at = this.#current;
    try {
      // Nothing is written into a cluster that merely happens to answer.
      if (!this.#known.has(at)) await this.#unaryRange(at);
      const call = { path: '/etcdserverpb.KV/Txn', body: encodeTxn(request), decode: decodeTxn };
      return this.#checked(await this.#unary(at, call, this.#options.timeouts.writeMs), at);
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
    return this.#once(this.#current, { path: '/etcdserverpb.KV/Compact', body, decode: decodeHeaderOnly }, ms);
  }

  /** Where the members are, as configured; their positions are those that the next calls take. */
  get targets(): readonly string[] {
    return this.#options.endpoints.map(({ target }) => target);
  }

  /** What one member says of itself. Asked once. */
  statusOf(member: number): Promise<MemberStatus> {
    const call = { path: '/etcdserverpb.Maintenance/Status', body: NOTHING, decode: decodeStatus };
    return this.#once(member, call, this.#options.timeouts.readAttemptMs);
  }

  /** Gives back the free pages of one member's file, while which it answers nothing. */
  defragment(member: number, ms: number): Promise<HeaderOnly> {
    const call = { path: '/etcdserverpb.Maintenance/Defragment', body: NOTHING, decode: decodeHeaderOnly };
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
    const { grpc } = this.#deps;
    const at = this.#current;
    const metadata = new grpc.Metadata();
    metadata.set('hasleader', 'true');
    const stream = this.#channels[at]!.makeBidiStreamRequest(
      '/etcdserverpb.Watch/Watch',
      asIs,
      (bytes: Buffer) => this.#checked(decodeWatch(bytes), at),
      metadata,
    );
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
    };
  }

  /** The next calls go to another member. */
  moveOn(): void {
    this.#current = (this.#current + 1) % this.#channels.length;
  }

  close(): void {
    this.#closed = true;
    for (const channel of this.#channels) channel.close();
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
        if (!this.#passOver(at, error) || this.#closed || clock.monotonic() + RETRY_MS >= until) throw error;
        if (attempt % this.#channels.length === 0) await clock.sleep(RETRY_MS);
      }
    }
  }

  async #once<T extends HeaderOnly>(
    at: number,
    call: { path: string; body: Buffer; decode: (bytes: Buffer) => T },
    ms: number,
  ): Promise<T> {
    return this.#checked(await this.#unary(at, call, ms), at);
  }

  async #unaryRange(at: number): Promise<void> {
    const body = encodeRange({ key: Buffer.from([1]), limit: 1, keysOnly: true });
    const call = { path: '/etcdserverpb.KV/Range', body, decode: decodeRange };
    try {
      this.#checked(await this.#unary(at, call, this.#options.timeouts.readAttemptMs), at);
    } catch (error) {
      throw error instanceof EtcdError ? error.neverSent() : error;
    }
  }

  #unary<T>(at: number, call: { path: string; body: Buffer; decode: (bytes: Buffer) => T }, ms: number): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new AppError('shuttingDown', 'the connection to etcd is closed');
      // grpc-js measures deadlines by the machine's wall clock.
      const deadline = this.#deps.clock.now() + Math.max(1, ms);
      this.#channels[at]!.makeUnaryRequest(call.path, asIs, call.decode, call.body, { deadline }, (error, value) => {
        if (error) reject(this.#failure(error, at, call.path.split('/').at(-1)!));
        else resolve(value as T);
      });
    });
  }

  /** Turns to the next member when this one cannot answer; whether asking again makes sense. */
  #passOver(at: number, error: unknown): boolean {
    if (!(error instanceof EtcdError)) return false;
    if (!['unreachable', 'timeout', 'other', 'busy', 'otherCluster'].includes(error.reason)) return false;
    if (at === this.#current) this.moveOn();
    return true;
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
    // Without grpc-js's note about the address, which is empty mostly.
    const details = (error.details || errorText(error)).replace(/\s*\([^()]*Z\)\. Resolution note: *$/, '');
    return etcdError({ code: error.code, details }, `${what} at ${this.#name(at)}`);
  }

  #name(at: number): string {
    return `etcd ${this.#options.endpoints[at]!.target}`;
  }
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

function openChannel(grpc: typeof Grpc, endpoint: Endpoint, tls: EtcdTls | undefined): Grpc.Client {
  const name = tls?.serverName ?? endpoint.host;
  const credentials = endpoint.tls
    ? grpc.credentials.createSsl(tls?.ca ?? null, tls?.key ?? null, tls?.cert ?? null, {
        checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
      })
    : grpc.credentials.createInsecure();
  return new grpc.Client(endpoint.target, credentials, {
    ...CHANNEL_OPTIONS,
    // grpc-js hands it on as the name to ask for, which TLS forbids to be an address (RFC 6066 section 3).
    ...(endpoint.tls ? { 'grpc.ssl_target_name_override': isIP(name) === 0 ? name : NO_NAME } : {}),
  });
}
