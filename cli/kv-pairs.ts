import { bigJson } from '../api/shapes/kv.ts';
import { kvKeyProblem } from '../api/shapes/kv-key.ts';
import { AppError } from '../core/errors.ts';
import type { ApiRequest, HttpApi, Query } from './http-api.ts';

/** A key as the API gives it; flags as their digits, since they may be larger than a JavaScript number holds. */
export interface KvPair {
  Key: string;
  Value: string | null;
  Flags: string;
  CreateIndex: number;
  ModifyIndex: number;
  LockIndex: number;
  Session?: string;
}

/** The keys below a prefix, or one key: none when there are none. */
export async function readPairs(
  api: HttpApi,
  key: string,
  query: Query = {},
  limit: Pick<ApiRequest, 'timeoutMs'> = {},
): Promise<KvPair[]> {
  const answer = await api.send('GET', kvPath(key), { query, accept: [404], ...limit });
  return answer.status === 404 ? [] : parsePairs(answer.text());
}

/** Keeps the digits of flags. @throws SyntaxError when it is no JSON. */
export function parsePairs(text: string): KvPair[] {
  const exact = (name: string, value: unknown, context?: { source?: string }) =>
    name.toLowerCase() === 'flags' && typeof value === 'number' ? context!.source : value;
  return JSON.parse(text, exact) as KvPair[];
}

/** A pair to be written as JSON: its flags are a number of the same digits. */
export function withNumbers(pair: KvPair): object {
  return { ...pair, Flags: bigJson(BigInt(pair.Flags)) };
}

/**
 * The path of a key: each part between slashes is encoded. Consul's commands take a leading slash and drop it.
 * @throws AppError `config` for a key that a path cannot name.
 */
export function kvPath(key: string): string {
  const problem = kvKeyProblem(key);
  if (problem !== undefined) throw new AppError('config', `the key ${problem}`);
  return `/v1/kv/${key.replace(/^\//, '').split('/').map(encodeURIComponent).join('/')}`;
}

/** @throws AppError `config` for a text that is no whole number; larger ones than JavaScript holds stay exact. */
export function digitsOf(name: string, text: string): string {
  if (/^\d{1,20}$/.test(text)) return text;
  throw new AppError('config', `${name}: ${JSON.stringify(text)} is no whole number from 0`);
}

export function valueBytes({ Value }: Pick<KvPair, 'Value'>): Buffer {
  return Buffer.from(Value ?? '', 'base64');
}

/** Undefined when it is no base64. */
export function fromBase64(text: string): Buffer | undefined {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined;
}
