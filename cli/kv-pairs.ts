import { AppError } from '../core/errors.ts';
import type { HttpApi, Query } from './http-api.ts';

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
export async function readPairs(api: HttpApi, key: string, query: Query = {}): Promise<KvPair[]> {
  const answer = await api.send('GET', kvPath(key), { query, accept: [404] });
  return answer.status === 404 ? [] : parsePairs(answer.text());
}

/** Keeps the digits of flags. @throws SyntaxError when it is no JSON. */
export function parsePairs(text: string): KvPair[] {
  const exact = (name: string, value: unknown, context?: { source?: string }) =>
    name.toLowerCase() === 'flags' && typeof value === 'number' ? context!.source : value;
  return JSON.parse(text, exact) as KvPair[];
}

/**
 * The path of a key: each part between slashes is encoded. Consul's commands take a leading slash and drop it.
 * @throws AppError `config` for a key with an empty part, `.` or `..`: servers, and what lies between, take such a path
 * for another one, and what is done to it would be done to another key.
 */
export function kvPath(key: string): string {
  const parts = key.replace(/^\//, '').split('/');
  const wrong = parts.find((part, at) => part === '.' || part === '..' || (part === '' && at < parts.length - 1));
  if (wrong !== undefined) {
    const what = wrong === '' ? 'two slashes in a row' : `a part ${JSON.stringify(wrong)}`;
    throw new AppError('config', `the key ${JSON.stringify(key)} has ${what}; servers would take it for another one`);
  }
  return `/v1/kv/${parts.map(encodeURIComponent).join('/')}`;
}

export function valueBytes({ Value }: Pick<KvPair, 'Value'>): Buffer {
  return Buffer.from(Value ?? '', 'base64');
}
