import type { Key } from '../../store/store.ts';
import type { Known } from '../catalog/plan.ts';
import type { KvContent } from './kv-record.ts';

/** What keys ask of sessions. */
export interface KvSessions {
  /** Where a session that has not ended is stored. */
  find(id: string, namespace: string): { readonly key: Key; readonly known: Known } | undefined;
  /**
   * What must be stored before the key can be written (`session`: acquired by that one), because a session has ended;
   * undefined: nothing.
   */
  ending(rest: string, session?: string): Promise<void> | undefined;
  /** Whether the key was let go of too recently by a session that had ended, and until when. */
  delayedUntil(rest: string): number | undefined;
}

/** What is to be written to a key. */
export interface KvWrite {
  readonly value: Uint8Array;
  readonly flags: bigint;
}

/** A plain write leaves the holder in its place, and begins the count of locks anew (Consul). */
export function setContent(
  before: (KvContent & { readonly broken?: string }) | undefined,
  { value, flags }: KvWrite,
): KvContent {
  return { value, flags, lockIndex: 0, session: before && before.broken === undefined ? before.session : '' };
}

/** Undefined while another session holds the key. The holder itself may change the value. */
export function lockContent(before: KvContent | undefined, write: KvWrite, session: string): KvContent | undefined {
  const { value, flags } = write;
  const holder = before?.session ?? '';
  if (holder === session) return { value, flags, session, lockIndex: before!.lockIndex };
  if (holder !== '') return undefined;
  return { value, flags, session, lockIndex: (before?.lockIndex ?? 0) + 1 };
}

/** Undefined unless this session holds the key. */
export function unlockContent(
  before: KvContent | undefined,
  { value, flags }: KvWrite,
  session: string,
): KvContent | undefined {
  if (!before || before.session !== session || session === '') return undefined;
  return { value, flags, session: '', lockIndex: before.lockIndex };
}

/** Whether a key has this index; index 0 means that it is absent. */
export function matchesIndex(before: { readonly modifyIndex: number } | undefined, index: bigint): boolean {
  return before ? index !== 0n && BigInt(before.modifyIndex) === index : index === 0n;
}
