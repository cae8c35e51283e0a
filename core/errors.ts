/** DNS response codes used at the edge (RFC 1035 section 4.1.1). */
export type Rcode = 'NOERROR' | 'FORMERR' | 'SERVFAIL' | 'NXDOMAIN' | 'NOTIMP' | 'REFUSED';

/** How one kind of error shows at each edge. */
export interface ErrorRow {
  /** HTTP status. */
  readonly http: number;
  readonly rcode: Rcode;
  /** gRPC status name (grpc.io "Status codes"). */
  readonly grpc: string;
  /** Whether the same call may succeed later without a change by the caller. */
  readonly retryable: boolean;
  /** What it means and what to do, for docs/errors.md. */
  readonly meaning: string;
}

/**
 * The one table of errors. The middle of the system throws codes; only the edges translate them with this table.
 * docs/errors.md is kept equal to it by a test.
 */
export const ERROR_TABLE = {
  badRequest: row(
    400,
    'FORMERR',
    'INVALID_ARGUMENT',
    false,
    'The request is malformed; the text names the field and what would be right.',
  ),
  notFound: row(404, 'NXDOMAIN', 'NOT_FOUND', false, 'The named object does not exist.'),
  permissionDenied: row(403, 'REFUSED', 'PERMISSION_DENIED', false, 'The caller may not do this.'),
  staleEpoch: row(
    409,
    'SERVFAIL',
    'ABORTED',
    false,
    'A newer holder of this owner name has written; the writer lost its leadership and must stop.',
  ),
  notOwner: row(
    409,
    'SERVFAIL',
    'FAILED_PRECONDITION',
    false,
    'The entry belongs to another owner; remove it there, or with an explicit deregister.',
  ),
  filterInvalid: row(
    500,
    'FORMERR',
    'INVALID_ARGUMENT',
    false,
    'The `filter` expression cannot be read or does not fit the rows; the text names the selector, operator or value.',
  ),
  conflict: row(409, 'SERVFAIL', 'ABORTED', true, 'Another write came first; read again and retry.'),
  tooLarge: row(
    413,
    'SERVFAIL',
    'RESOURCE_EXHAUSTED',
    false,
    'The body or transaction exceeds its limit; the text names the limit.',
  ),
  rateLimited: row(
    429,
    'SERVFAIL',
    'RESOURCE_EXHAUSTED',
    true,
    'Too many requests or connections; slow down and retry.',
  ),
  queueFull: row(503, 'SERVFAIL', 'UNAVAILABLE', true, 'A bounded queue is full; retry with back-off.'),
  noLeader: row(500, 'SERVFAIL', 'UNAVAILABLE', true, 'No server can take this now; retry.'),
  notSynced: row(500, 'SERVFAIL', 'UNAVAILABLE', true, 'The catalog has not been loaded yet; retry.'),
  storeReadOnly: row(
    500,
    'SERVFAIL',
    'UNAVAILABLE',
    true,
    'The store refuses writes, because its disk failed or is full; reads go on. The text says what to mend.',
  ),
  storeCorrupt: row(
    500,
    'SERVFAIL',
    'DATA_LOSS',
    false,
    'The data folder is damaged or incomplete: restore a snapshot or move the folder away. Or something else has written to etcd, or one stored entry cannot be read: the text says what to do.',
  ),
  storeVersion: row(
    500,
    'SERVFAIL',
    'FAILED_PRECONDITION',
    false,
    'The data folder was written by a newer version; use that version or a new folder.',
  ),
  storeMismatch: row(
    500,
    'SERVFAIL',
    'UNAVAILABLE',
    true,
    'Etcd holds no store, another one, or an older state than this server has known; it goes on by itself once the right one is back. The text says what to do.',
  ),
  compacted: row(
    410,
    'SERVFAIL',
    'OUT_OF_RANGE',
    true,
    'The history asked for is no longer kept; read a new snapshot.',
  ),
  decode: row(
    400,
    'FORMERR',
    'INVALID_ARGUMENT',
    false,
    'Bytes could not be decoded; the facts name the offset and field.',
  ),
  config: row(
    400,
    'REFUSED',
    'INVALID_ARGUMENT',
    false,
    'A flag, configuration key or manifest is wrong; the text names it and what would be right.',
  ),
  deadline: row(500, 'SERVFAIL', 'DEADLINE_EXCEEDED', true, 'A call did not answer in time.'),
  outcomeUnknown: row(
    500,
    'SERVFAIL',
    'UNKNOWN',
    false,
    'A write was sent, but whether it took effect could not be found out; read before deciding.',
  ),
  unavailable: row(500, 'SERVFAIL', 'UNAVAILABLE', true, 'A remote part cannot be reached; retry.'),
  shuttingDown: row(503, 'SERVFAIL', 'UNAVAILABLE', true, 'The process is stopping; use another one.'),
  refused: row(
    500,
    'REFUSED',
    'FAILED_PRECONDITION',
    false,
    'The agent is not configured to do this, or what is named is of another kind; the text says which.',
  ),
  addressInUse: row(
    500,
    'SERVFAIL',
    'UNAVAILABLE',
    false,
    'A port is taken by another process; stop it or choose another port.',
  ),
  internal: row(500, 'SERVFAIL', 'INTERNAL', false, 'A defect; please report it with the log line.'),
} as const satisfies Record<string, ErrorRow>;

/** A key of the error table. */
export type ErrorCode = keyof typeof ERROR_TABLE;

/** Named values that belong to an error (field, limit, offset). Never secrets. */
export type ErrorFacts = Readonly<Record<string, string | number | boolean | undefined>>;

/** The error type of the whole system: a code of the table, a text that says what to do, typed facts, a cause. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly facts: ErrorFacts;

  constructor(code: ErrorCode, message: string, options: { facts?: ErrorFacts; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.facts = options.facts ?? {};
  }
}

/** The table row of any thrown value; what is not an AppError is `internal`. */
export function errorRow(error: unknown): ErrorRow {
  return ERROR_TABLE[error instanceof AppError ? error.code : 'internal'];
}

/** The text of any thrown value, without a stack. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function row(http: number, rcode: Rcode, grpc: string, retryable: boolean, meaning: string): ErrorRow {
  return { http, rcode, grpc, retryable, meaning };
}
