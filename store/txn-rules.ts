import { AppError } from '../core/errors.ts';
import { checkKey, checkRange, inRange } from './key-order.ts';
import type { Compare, Key, Op, Txn } from './store.ts';

/** Limits of one transaction. */
export interface TxnLimits {
  readonly maxTxnOps: number;
  readonly maxTxnCompares: number;
  readonly maxTxnBytes: number;
}

/**
 * As many operations and bytes as etcd takes by default (`--max-txn-ops`, `--max-request-bytes`), so that what one engine takes
 * every engine takes. Compares are evaluated by the engines themselves: whoever writes 128 entries may rely on others beside.
 */
export const DEFAULT_TXN_LIMITS: TxnLimits = {
  maxTxnOps: 128,
  maxTxnCompares: 1024,
  maxTxnBytes: 1.5 * 1024 * 1024,
};

/**
 * Holds a transaction to the rules that need no look at the data.
 * @throws AppError `badRequest` (keys, revisions, a key put twice or both put and deleted), `tooLarge`.
 */
export function checkTxn(txn: Txn, limits: TxnLimits): void {
  checkCount('operations', txn.ops.length, limits.maxTxnOps);
  checkCount('compares', txn.compares.length, limits.maxTxnCompares);
  let bytes = 0;
  for (const compare of txn.compares) bytes += checkCompare(compare);
  for (const op of txn.ops) bytes += checkOp(op);
  if (bytes > limits.maxTxnBytes) {
    throw new AppError('tooLarge', `a transaction may have ${limits.maxTxnBytes} bytes, this one has ${bytes}`, {
      facts: { limit: limits.maxTxnBytes, bytes },
    });
  }
  checkPuts(txn.ops);
}

/** Operations up to this number are compared each with each: a set of so few keys costs more. */
const FEW_OPS = 8;

function checkCount(what: string, count: number, limit: number): void {
  if (count <= limit) return;
  throw new AppError('tooLarge', `a transaction may have ${limit} ${what}, this one has ${count}`, {
    facts: { limit, count },
  });
}

function checkCompare(compare: Compare): number {
  const revision = compare.kind === 'key' ? compare.modRevision : compare.maxModRevision;
  if (!Number.isSafeInteger(revision) || revision < 0) {
    throw new AppError('badRequest', `a compared revision must be a whole number from 0, not ${revision}`);
  }
  if (compare.kind === 'key') {
    checkKey(compare.key);
    return Buffer.byteLength(compare.key);
  }
  checkRange(compare.range);
  return Buffer.byteLength(compare.range.start) + Buffer.byteLength(compare.range.end);
}

function checkOp(op: Op): number {
  if (op.kind === 'deleteRange') {
    checkRange(op.range);
    return Buffer.byteLength(op.range.start) + Buffer.byteLength(op.range.end);
  }
  checkKey(op.key);
  return Buffer.byteLength(op.key) + (op.kind === 'put' ? op.value.byteLength : 0);
}

function checkPuts(ops: readonly Op[]): void {
  if (ops.length <= FEW_OPS && ops.every((op, at) => op.kind === 'put' && isFirst(ops, at, op.key))) return;
  const puts = new Set<Key>();
  for (const op of ops) {
    if (op.kind !== 'put') continue;
    if (puts.has(op.key)) throw new AppError('badRequest', `key ${JSON.stringify(op.key)} is put twice`);
    puts.add(op.key);
  }
  if (puts.size === 0) return;
  for (const op of ops) {
    if (op.kind === 'delete' && puts.has(op.key)) throw bothPutAndDeleted(op.key);
    if (op.kind !== 'deleteRange') continue;
    for (const key of puts) if (inRange(key, op.range)) throw bothPutAndDeleted(key);
  }
}

/** Whether no operation before position `at` has this key. */
function isFirst(ops: readonly Op[], at: number, key: Key): boolean {
  for (let before = 0; before < at; before++) {
    const op = ops[before]!;
    if (op.kind !== 'deleteRange' && op.key === key) return false;
  }
  return true;
}

function bothPutAndDeleted(key: Key): AppError {
  return new AppError('badRequest', `key ${JSON.stringify(key)} is both put and deleted`);
}
