import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import type * as Grpc from '@grpc/grpc-js';
import type { Endpoint } from './endpoints.ts';

/** PEM texts. */
export interface EtcdTls {
  /** Of the authority that signed etcd's certificates; the system's own when missing. */
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** The name that etcd's certificate must be for, when it is not the endpoint's. */
  readonly serverName?: string;
}

/** A unary call. */
export interface MemberCall<T> {
  readonly path: string;
  readonly body: Buffer;
  readonly decode: (bytes: Buffer) => T;
  /** The member is known to answer nothing while it does this. */
  readonly patient?: boolean;
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

interface Member {
  readonly endpoint: Endpoint;
  channel: Grpc.Client;
  readonly underWay: Set<Grpc.ClientUnaryCall>;
  /** How often it has answered anything. */
  answers: number;
}

/**
 * A connection to each member of etcd. Where packets vanish without an error, grpc-js waits as long as the system: for an
 * answer over a connection that has backed off, or for one more attempt of a connection that is not made. So a member
 * that has not answered for the whole of a call is connected to anew.
 */
export class MemberConnections {
  readonly #grpc: typeof Grpc;
  readonly #members: readonly Member[];
  #tls: EtcdTls | undefined;
  #closed = false;

  constructor(grpc: typeof Grpc, endpoints: readonly Endpoint[], tls: EtcdTls | undefined) {
    this.#grpc = grpc;
    this.#tls = tls;
    this.#members = endpoints.map((endpoint) => ({
      endpoint,
      channel: openChannel(grpc, endpoint, tls),
      underWay: new Set(),
      answers: 0,
    }));
  }

  get closed(): boolean {
    return this.#closed;
  }

  get count(): number {
    return this.#members.length;
  }

  /** New connections use these; calls and watches under way end on the old ones. */
  renewTls(tls: EtcdTls): void {
    this.#tls = tls;
    for (const member of this.#members) this.#renew(member);
  }

  /** `deadline` by the machine's wall clock, as grpc-js measures it. Rejects with grpc-js's error. */
  unary<T>(at: number, { path, body, decode, patient }: MemberCall<T>, deadline: number): Promise<T> {
    const member = this.#members[at]!;
    const { channel, answers } = member;
    return new Promise((resolve, reject) => {
      const call = channel.makeUnaryRequest(path, asIs, decode, body, { deadline }, (error, value) => {
        member.underWay.delete(call);
        if (!error) member.answers++;
        const late = error?.code === this.#grpc.status.DEADLINE_EXCEEDED;
        if (late && member.answers === answers && member.channel === channel) this.#renew(member);
        if (error) reject(error);
        else resolve(value as T);
      });
      if (!patient) member.underWay.add(call);
    });
  }

  stream<T>(path: string, at: number, decode: (bytes: Buffer) => T): Grpc.ClientDuplexStream<Buffer, T> {
    const member = this.#members[at]!;
    const metadata = new this.#grpc.Metadata();
    // A member that has lost its leader ends the stream (etcd, api/v3rpc/interceptor.go).
    metadata.set('hasleader', 'true');
    const heard = (bytes: Buffer): T => {
      member.answers++;
      return decode(bytes);
    };
    return member.channel.makeBidiStreamRequest(path, asIs, heard, metadata);
  }

  /** The member does not answer: calls that wait for it end, all but patient ones; the next ones go over a new connection. */
  giveUp(at: number): void {
    const member = this.#members[at]!;
    this.#renew(member);
    for (const call of member.underWay) call.cancel();
  }

  close(): void {
    this.#closed = true;
    for (const { channel } of this.#members) channel.close();
  }

  #renew(member: Member): void {
    if (this.#closed) return;
    member.channel.close();
    member.channel = openChannel(this.#grpc, member.endpoint, this.#tls);
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
