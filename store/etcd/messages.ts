import { ProtoReader, ProtoWriter } from './protobuf.ts';

/*
 * The messages of etcd's v3 API that the engine sends and reads (etcd.io, "API reference": etcdserverpb and mvccpb).
 * Fields that it does not use are passed over.
 */

/** A range of etcd's keys; without `end` the one key. */
export interface EtcdRange {
  readonly key: Uint8Array;
  readonly end?: Uint8Array;
}

export interface RangeRequest extends EtcdRange {
  /** Entries at most; 0 for all. */
  readonly limit?: number;
  /** Etcd's revision to read at; 0 for the newest. */
  readonly revision?: number;
  /** Answered by the asked member alone, perhaps behind the others. */
  readonly serializable?: boolean;
  readonly keysOnly?: boolean;
}

/** An entry of etcd; key and value are views of the message it came in. */
export interface EtcdKeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly modRevision: number;
}

export interface ResponseHeader {
  /** Which cluster answered; not exact above 2^53, which is good enough to tell two apart. */
  readonly clusterId: number;
  /** Which member answered, as exact as the cluster's. */
  readonly memberId: number;
  readonly revision: number;
}

/** What every response has. */
export interface HeaderOnly {
  readonly header: ResponseHeader;
}

export interface RangeResponse {
  readonly header: ResponseHeader;
  readonly kvs: EtcdKeyValue[];
  readonly more: boolean;
}

export type EtcdOp =
  | { readonly kind: 'put'; readonly key: Uint8Array; readonly value: readonly Uint8Array[] }
  | ({ readonly kind: 'delete' } & EtcdRange)
  | ({ readonly kind: 'range' } & RangeRequest)
  /** Done within the transaction, whatever it compares. */
  | { readonly kind: 'all'; readonly ops: readonly EtcdOp[] };

/** Holds when the key's last change was at this revision; 0: it is absent. */
export interface EtcdCompare {
  readonly key: Uint8Array;
  readonly modRevision: number;
}

export interface TxnRequest {
  readonly compares: readonly EtcdCompare[];
  readonly success: readonly EtcdOp[];
  readonly failure: readonly EtcdOp[];
}

export interface TxnResponse {
  readonly header: ResponseHeader;
  readonly succeeded: boolean;
  /** What the ranges of the branch that was taken found, in their order. */
  readonly ranges: RangeResponse[];
}

export interface WatchCreate extends EtcdRange {
  readonly startRevision: number;
}

export interface EtcdEvent {
  readonly deleted: boolean;
  readonly kv: EtcdKeyValue;
}

export interface WatchResponse {
  readonly header: ResponseHeader;
  readonly created: boolean;
  readonly canceled: boolean;
  /** Above 0: the start revision is older than what is kept, of which this is the oldest. */
  readonly compactRevision: number;
  readonly cancelReason: string;
  readonly events: EtcdEvent[];
}

export interface MemberStatus {
  readonly header: ResponseHeader;
  readonly version: string;
  readonly dbSize: number;
  readonly dbSizeInUse: number;
  /** Member id of the Raft leader as this member knows it; 0 for none. */
  readonly leader: number;
  /** Bytes that its file may have; 0 when etcd does not tell (before 3.6). */
  readonly dbSizeQuota: number;
}

/** A member that has raised an alarm; ids are exact, because taking it back needs the very one. */
export interface EtcdAlarm {
  readonly memberId: bigint;
  readonly type: number;
}

export interface AlarmResponse {
  readonly header: ResponseHeader;
  readonly alarms: readonly EtcdAlarm[];
}

/** AlarmType NOSPACE: the quota is used up, and every put is refused. */
export const NOSPACE_ALARM = 1;

const NO_HEADER: ResponseHeader = { clusterId: 0, memberId: 0, revision: 0 };
const NOTHING = Buffer.alloc(0);
/** Compare.CompareTarget MOD; the result EQUAL is 0 and so left out. */
const TARGET_MOD = 2;

export function encodeRange(request: RangeRequest): Buffer {
  const out = new ProtoWriter();
  writeRange(out, request);
  return out.finish();
}

export function encodeTxn(request: TxnRequest): Buffer {
  const out = new ProtoWriter(4096);
  for (const { key, modRevision } of request.compares) {
    out.nested(1, () => {
      out.uint(2, TARGET_MOD);
      out.bytes(3, key);
      out.uint(6, modRevision);
    });
  }
  for (const op of request.success) out.nested(2, () => writeOp(out, op));
  for (const op of request.failure) out.nested(3, () => writeOp(out, op));
  return out.finish();
}

/** `physical`: answered when what is forgotten has left the file's pages, too. */
export function encodeCompaction(revision: number, physical = false): Buffer {
  const out = new ProtoWriter();
  out.uint(1, revision);
  out.bool(2, physical);
  return out.finish();
}

/** Asks for the alarms; with one, takes it back. */
export function encodeAlarm(disarmed?: EtcdAlarm): Buffer {
  const out = new ProtoWriter();
  if (disarmed) {
    out.uint(1, 2); // AlarmAction DEACTIVATE
    out.uint64(2, disarmed.memberId);
    out.uint(3, disarmed.type);
  }
  return out.finish();
}

/** The first message on a watch stream. Its large answers come in fragments. */
export function encodeWatchCreate(request: WatchCreate): Buffer {
  const out = new ProtoWriter();
  out.nested(1, () => {
    writeKeys(out, request);
    out.uint(3, request.startRevision);
    out.bool(8, true);
  });
  return out.finish();
}

/** Asks for a sign of life on a watch stream (etcd 3.4 and later). */
export function encodeWatchProgress(): Buffer {
  const out = new ProtoWriter();
  out.bytes(3, NOTHING);
  return out.finish();
}

export function decodeRange(bytes: Uint8Array): RangeResponse {
  const input = new ProtoReader(bytes);
  let header = NO_HEADER;
  let more = false;
  const kvs: EtcdKeyValue[] = [];
  for (let field = input.next(); field !== 0; field = input.next()) {
    if (field === 1) header = decodeHeader(input.bytes());
    else if (field === 2) kvs.push(decodeKeyValue(input.bytes()));
    else if (field === 3) more = input.uint() !== 0;
    else input.skip();
  }
  return { header, kvs, more };
}

export function decodeTxn(bytes: Uint8Array): TxnResponse {
  const input = new ProtoReader(bytes);
  let header = NO_HEADER;
  let succeeded = false;
  const ranges: RangeResponse[] = [];
  for (let field = input.next(); field !== 0; field = input.next()) {
    if (field === 1) header = decodeHeader(input.bytes());
    else if (field === 2) succeeded = input.uint() !== 0;
    else if (field === 3) readResponseOp(input.bytes(), ranges);
    else input.skip();
  }
  return { header, succeeded, ranges };
}

/** A response of which only the header matters. */
export function decodeHeaderOnly(bytes: Uint8Array): HeaderOnly {
  const input = new ProtoReader(bytes);
  let header = NO_HEADER;
  for (let field = input.next(); field !== 0; field = input.next()) {
    if (field === 1) header = decodeHeader(input.bytes());
    else input.skip();
  }
  return { header };
}

export function decodeWatch(bytes: Uint8Array): WatchResponse {
  const input = new ProtoReader(bytes);
  const events: EtcdEvent[] = [];
  const found = { header: NO_HEADER, created: false, canceled: false, compactRevision: 0, cancelReason: '' };
  for (let field = input.next(); field !== 0; field = input.next()) {
    if (field === 1) found.header = decodeHeader(input.bytes());
    else if (field === 3) found.created = input.uint() !== 0;
    else if (field === 4) found.canceled = input.uint() !== 0;
    else if (field === 5) found.compactRevision = input.uint();
    else if (field === 6) found.cancelReason = input.text();
    else if (field === 11) events.push(decodeEvent(input.bytes()));
    else input.skip();
  }
  return { ...found, events };
}

export function decodeStatus(bytes: Uint8Array): MemberStatus {
  const input = new ProtoReader(bytes);
  const found = { header: NO_HEADER, version: '', dbSize: 0, dbSizeInUse: 0, leader: 0, dbSizeQuota: 0 };
  for (let field = input.next(); field !== 0; field = input.next()) {
    if (field === 1) found.header = decodeHeader(input.bytes());
    else if (field === 2) found.version = input.text();
    else if (field === 3) found.dbSize = input.uint();
    else if (field === 4) found.leader = input.uint();
    else if (field === 9) found.dbSizeInUse = input.uint();
    else if (field === 12) found.dbSizeQuota = input.uint();
    else input.skip();
  }
  return found;
}

export function decodeAlarms(bytes: Uint8Array): AlarmResponse {
  const input = new ProtoReader(bytes);
  const alarms: EtcdAlarm[] = [];
  let header = NO_HEADER;
  for (let field = input.next(); field !== 0; field = input.next()) {
    if (field === 1) header = decodeHeader(input.bytes());
    else if (field === 2) alarms.push(decodeAlarm(input.bytes()));
    else input.skip();
  }
  return { header, alarms };
}

function decodeAlarm(bytes: Buffer): EtcdAlarm {
  const input = new ProtoReader(bytes);
  let memberId = 0n;
  let type = 0;
  for (let field = input.next(); field !== 0; field = input.next()) {
    if (field === 1) memberId = input.uint64();
    else if (field === 2) type = input.uint();
    else input.skip();
  }
  return { memberId, type };
}

function writeKeys(out: ProtoWriter, range: EtcdRange): void {
  out.bytes(1, range.key);
  if (range.end) out.bytes(2, range.end);
}

function writeRange(out: ProtoWriter, request: RangeRequest): void {
  writeKeys(out, request);
  out.uint(3, request.limit ?? 0);
  out.uint(4, request.revision ?? 0);
  out.bool(7, request.serializable ?? false);
  out.bool(8, request.keysOnly ?? false);
}

function writeOp(out: ProtoWriter, op: EtcdOp): void {
  if (op.kind === 'range') {
    out.nested(1, () => writeRange(out, op));
  } else if (op.kind === 'put') {
    out.nested(2, () => {
      out.bytes(1, op.key);
      out.bytes(2, ...op.value);
    });
  } else if (op.kind === 'all') {
    out.nested(4, () => {
      for (const one of op.ops) out.nested(2, () => writeOp(out, one));
    });
  } else {
    out.nested(3, () => writeKeys(out, op));
  }
}

function readResponseOp(bytes: Buffer, ranges: RangeResponse[]): void {
  const input = new ProtoReader(bytes);
  for (let field = input.next(); field !== 0; field = input.next()) {
    if (field === 1) ranges.push(decodeRange(input.bytes()));
    else input.skip();
  }
}

function decodeHeader(bytes: Buffer): ResponseHeader {
  const input = new ProtoReader(bytes);
  let clusterId = 0;
  let memberId = 0;
  let revision = 0;
  for (let field = input.next(); field !== 0; field = input.next()) {
    if (field === 1) clusterId = input.uint();
    else if (field === 2) memberId = input.uint();
    else if (field === 3) revision = input.uint();
    else input.skip();
  }
  return { clusterId, memberId, revision };
}

function decodeKeyValue(bytes: Buffer): EtcdKeyValue {
  const input = new ProtoReader(bytes);
  let key: Buffer = NOTHING;
  let value: Buffer = NOTHING;
  let modRevision = 0;
  for (let field = input.next(); field !== 0; field = input.next()) {
    if (field === 1) key = input.bytes();
    else if (field === 3) modRevision = input.uint();
    else if (field === 5) value = input.bytes();
    else input.skip();
  }
  return { key, value, modRevision };
}

function decodeEvent(bytes: Buffer): EtcdEvent {
  const input = new ProtoReader(bytes);
  let deleted = false;
  let kv: EtcdKeyValue = { key: NOTHING, value: NOTHING, modRevision: 0 };
  for (let field = input.next(); field !== 0; field = input.next()) {
    if (field === 1) deleted = input.uint() === 1;
    else if (field === 2) kv = decodeKeyValue(input.bytes());
    else input.skip();
  }
  return { deleted, kv };
}
