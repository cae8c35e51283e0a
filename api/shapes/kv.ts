import { DEFAULT_NAMESPACE } from './catalog.ts';

/** A key and its value as the store of keys hands it out. */
export interface KvItem {
  readonly key: string;
  readonly flags: bigint;
  readonly lockIndex: number;
  /** '' when no session holds it. */
  readonly session: string;
  readonly value: Uint8Array;
  readonly createIndex: number;
  readonly modifyIndex: number;
}

/** The largest value of an unsigned 64-bit number. */
export const MAX_UINT64 = (1n << 64n) - 1n;

const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

/** A number that may be too large for a JavaScript one, to be put into JSON as it is. */
export function bigJson(value: bigint): unknown {
  return value <= Number.MAX_SAFE_INTEGER ? Number(value) : rawJson(String(value));
}

/** Consul's JSON form of a key; without its value when only what a write has done is told. Namespaces but `default` are named. */
export function kvJson(item: KvItem, namespace: string, withValue = true): Record<string, unknown> {
  return {
    LockIndex: item.lockIndex,
    Key: item.key,
    Flags: bigJson(item.flags),
    Value: withValue && item.value.byteLength > 0 ? Buffer.from(item.value).toString('base64') : null,
    ...(item.session === '' ? {} : { Session: item.session }),
    ...(namespace === DEFAULT_NAMESPACE ? {} : { Namespace: namespace }),
    CreateIndex: item.createIndex,
    ModifyIndex: item.modifyIndex,
  };
}

/** Go's strconv.ParseUint: a text for what is wrong, else the number. */
export function parseUint64(text: string): bigint | string {
  if (!/^\d+$/.test(text)) return `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;
  // Longer ones are not made into a number.
  const value = /^0*(\d{0,20})$/.exec(text)?.[1];
  if (value === undefined || BigInt(value) > MAX_UINT64)
    return `strconv.ParseUint: parsing ${JSON.stringify(text)}: value out of range`;
  return BigInt(value);
}
