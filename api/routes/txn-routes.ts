import { elsewhere, namespaceOf, readParams } from '../http/request-params.ts';
import { ERROR_CODE_HEADER } from '../http/respond.ts';
import type { Route, RouteRequest, RouteResponse } from '../http/route.ts';
import { decodeTxn, TXN_WRITES, type TxnError, type TxnOp } from '../shapes/txn.ts';
import { tooLarge } from './kv-routes.ts';
import type { ReadRouteDeps } from './read-route.ts';

/** What has become of a transaction: results when all of it held, else errors and nothing was done. */
export interface TxnOutcome {
  readonly results: readonly unknown[] | null;
  readonly errors: readonly TxnError[] | null;
  /** The index that it was read or written at. */
  readonly index: number;
  /** Refused before anything was looked at. */
  readonly unread: boolean;
}

export interface TxnBackend {
  /** Reads only; operations that are absent do nothing. */
  read(namespace: string, ops: readonly (TxnOp | undefined)[]): TxnOutcome;
  write(namespace: string, ops: readonly (TxnOp | undefined)[]): Promise<TxnOutcome>;
}

export interface TxnRoutesOptions {
  /** Consul's txn_max_req_len. */
  readonly maxBytes: number;
}

/** Consul's limit. */
const MAX_OPS = 128;

/** PUT /v1/txn (Consul HTTP API, "Transaction"). */
export function txnRoutes(
  deps: Pick<ReadRouteDeps, 'datacenter'>,
  backend: TxnBackend,
  options: TxnRoutesOptions,
): Route[] {
  return [
    {
      method: 'PUT',
      path: '/v1/txn',
      handle: (request) => elsewhere(deps, request) ?? txn(backend, request, options),
    },
  ];
}

async function txn(backend: TxnBackend, request: RouteRequest, { maxBytes }: TxnRoutesOptions): Promise<RouteResponse> {
  const { body } = request;
  if (body.length > maxBytes) return tooLarge(body.length, maxBytes, 'txn_max_req_len');
  const ops = decodeTxn(body);
  if (ops.length > MAX_OPS) {
    const text = `Transaction contains too many operations (${ops.length} > ${MAX_OPS})`;
    return { status: 413, text, headers: { [ERROR_CODE_HEADER]: 'tooLarge' } };
  }
  const namespace = namespaceOf(request);
  if (ops.some((op) => op && TXN_WRITES.has(op.verb))) {
    const { results, errors } = await backend.write(namespace, ops);
    return { status: errors ? 409 : 200, json: { Results: results, Errors: errors } };
  }
  readParams(request); // its refusals
  const { results, errors, index, unread } = backend.read(namespace, ops);
  return {
    status: errors ? 409 : 200,
    json: {
      Results: results,
      Errors: errors,
      Index: unread ? 0 : index,
      LastContact: 0,
      KnownLeader: !unread,
      ConsistencyLevel: '',
      NotModified: false,
      Backend: 0,
      ResultsFilteredByACLs: false,
    },
    meta: { knownLeader: !unread, lastContactMs: 0 },
  };
}
