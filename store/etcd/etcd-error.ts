import { AppError, type ErrorCode } from '../../core/errors.ts';

/** Why a call to etcd failed, as far as the engine acts on it. */
export type EtcdReason =
  | 'compacted'
  | 'futureRevision'
  | 'tooLarge'
  | 'noSpace'
  | 'busy'
  | 'refused'
  | 'corrupt'
  | 'otherCluster'
  | 'unreachable'
  | 'timeout'
  | 'other';

/** A failed call. `sent` false: it certainly changed nothing; true: it may have taken effect. */
export class EtcdError extends AppError {
  readonly #verdict: Verdict;
  readonly reason: EtcdReason;
  readonly sent: boolean;
  /** Whether somebody has to do something about it, which the message says. */
  readonly needsHelp: boolean;

  constructor(verdict: Verdict, message: string, cause?: unknown) {
    super(verdict.code, message, cause === undefined ? {} : { cause });
    this.#verdict = verdict;
    this.reason = verdict.reason;
    this.sent = verdict.sent;
    this.needsHelp = verdict.advice !== undefined || verdict.reason === 'otherCluster';
  }

  /** Whether it may pass, or another member may do better: members may be away for a moment. */
  get mayPass(): boolean {
    return PASSING.has(this.reason);
  }

  /** The same failure of what only prepared a write. */
  neverSent(): EtcdError {
    return new EtcdError({ ...this.#verdict, sent: false }, this.message, this.cause);
  }
}

const PASSING: ReadonlySet<EtcdReason> = new Set(['unreachable', 'timeout', 'busy', 'other', 'otherCluster']);

interface Verdict {
  readonly reason: EtcdReason;
  readonly code: ErrorCode;
  readonly sent: boolean;
  /** What to do about it. */
  readonly advice?: string;
}

const REVISION_GONE: Verdict = { reason: 'compacted', code: 'compacted', sent: false };
const REVISION_TO_COME: Verdict = { reason: 'futureRevision', code: 'unavailable', sent: false };
const NO_SPACE: Verdict = {
  reason: 'noSpace',
  code: 'storeReadOnly',
  sent: false,
  advice:
    'etcd takes no more writes, because its database has reached the quota (--quota-backend-bytes); the servers compact and ' +
    'defragment it and then go on by themselves; if that frees too little, raise the quota',
};
const TOO_LARGE: Verdict = {
  reason: 'tooLarge',
  code: 'tooLarge',
  sent: false,
  advice: "raise etcd's --max-request-bytes or --max-txn-ops, or write less at once",
};
const BUSY: Verdict = { reason: 'busy', code: 'queueFull', sent: false };
const REFUSED: Verdict = {
  reason: 'refused',
  code: 'permissionDenied',
  sent: false,
  advice: 'etcd must accept the client certificate without a user name',
};
const CORRUPT: Verdict = { reason: 'corrupt', code: 'storeCorrupt', sent: false };
const OTHER_CLUSTER: Verdict = { reason: 'otherCluster', code: 'unavailable', sent: false };
const NEVER_SENT: Verdict = { reason: 'unreachable', code: 'unavailable', sent: false };
const EXPIRED: Verdict = {
  ...NEVER_SENT,
  advice: 'renew the certificate of this etcd member, or set the clock of this machine',
};
const NOT_YET: Verdict = {
  ...NEVER_SENT,
  advice: 'set the clock of this machine, or give this etcd member a certificate that counts now',
};
const UNKNOWN_AUTHORITY: Verdict = {
  ...NEVER_SENT,
  advice: 'etcd.ca_file (-etcd-ca-file) must hold the authority that signed the certificate of this etcd member',
};
const OTHER_NAME: Verdict = {
  ...NEVER_SENT,
  advice: 'give this etcd member a certificate for that name, or name the one that it has in etcd.server_name',
};
const NO_TLS: Verdict = {
  ...NEVER_SENT,
  advice: 'this etcd member speaks no TLS: its endpoint must begin with http://',
};
const NOT_TRUSTED: Verdict = {
  ...NEVER_SENT,
  advice:
    'etcd wants a certificate in etcd.cert_file (-etcd-cert-file) that counts now and is of an authority that it trusts',
};
const CUT_OFF: Verdict = { reason: 'unreachable', code: 'unavailable', sent: true };
const LATE: Verdict = { reason: 'timeout', code: 'deadline', sent: true };
const OTHER: Verdict = { reason: 'other', code: 'unavailable', sent: true };

/** Etcd's own texts (its api/v3rpc/rpctypes) and grpc-js's, the first that fits counts. */
const BY_TEXT: readonly (readonly [RegExp, Verdict])[] = [
  [/required revision has been compacted/, REVISION_GONE],
  [/required revision is a future revision/, REVISION_TO_COME],
  [/database space exceeded/, NO_SPACE],
  [/request is too large|too many operations in txn|message larger than max|larger than the maximum/i, TOO_LARGE],
  // Said by `otherCluster`, within what grpc-js makes of it.
  [/is of another etcd cluster/, OTHER_CLUSTER],
  [/etcdserver: too many requests/, BUSY],
  [/user name is empty|permission denied|invalid auth token|authentication failed/, REFUSED],
  [/corrupt cluster/, CORRUPT],
  [/certificate has expired/, EXPIRED],
  [/certificate is not yet valid/, NOT_YET],
  [
    /unable to verify the first certificate|unable to get (local )?issuer|self[- ]signed certificate/,
    UNKNOWN_AUTHORITY,
  ],
  [/does not match certificate's altnames|not in the cert's list/, OTHER_NAME],
  [/wrong version number|packet length too long/i, NO_TLS],
  [/alert (bad|unknown|unsupported|expired|certificate|access|handshake)|alert number/i, NOT_TRUSTED],
  [/No connection established|Name resolution failed|Failed to connect/, NEVER_SENT],
  [/Waiting for LB pick|Channel closed before call started/, NEVER_SENT],
];

/** gRPC status codes (grpc.io, "Status codes"). */
const BY_CODE: Readonly<Record<number, Verdict>> = {
  // Given up here, because the member answers nothing.
  1: CUT_OFF,
  4: LATE,
  7: REFUSED,
  14: CUT_OFF,
  15: CORRUPT,
  16: REFUSED,
};

/** The error of a call that ended with this gRPC status. `to`: what was asked of whom. */
export function etcdError(status: { code: number; details: string }, to: string): EtcdError {
  const verdict = BY_TEXT.find(([pattern]) => pattern.test(status.details))?.[1] ?? BY_CODE[status.code] ?? OTHER;
  const advice = verdict.advice ? `; ${verdict.advice}` : '';
  return new EtcdError(verdict, `${to}: ${status.details}${advice}`);
}

/** The answers come from a cluster that is not the one of before. */
export function otherCluster(to: string): EtcdError {
  return new EtcdError(
    OTHER_CLUSTER,
    `${to} is of another etcd cluster than before; nothing is read or written there. Correct -etcd-endpoints, or, if etcd ` +
      'was restored as a new cluster, restart the server',
  );
}
