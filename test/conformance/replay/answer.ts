import { spawnSync } from 'node:child_process';
import { isObject } from './matching.ts';
import type { Step } from './step.ts';

/** An answer of either protocol, as paths look into it. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly text?: string;
  readonly tar?: readonly string[];
  readonly raw: Buffer;
}

const PATH = /\.([\w#-]+)|\["([^"]*)"\]|\[(\d+)\]|\[(\w+)=([^\]]*)\]/g;
const DROPPED = ['Partition', 'Namespace', 'IncludeAll', 'SkipLocalDatacenter'];

/** `$`, `.key`, `["odd key"]`, `[0]`, `[Key=value]`, `.#` (length), `status`, `text`, `header:NAME`. */
export function lookup(path: string, answer: Pick<Answer, 'status' | 'headers' | 'json' | 'text'>): unknown {
  if (path === 'status') return answer.status;
  if (path === 'text') return answer.text;
  if (path.startsWith('header:')) return answer.headers[path.slice('header:'.length).toLowerCase()];
  let value = answer.json;
  for (const [, dotted, quoted, index, key, wanted] of path.slice(1).matchAll(PATH)) {
    if (dotted === '#' && typeof value === 'object' && value !== null) value = Object.keys(value).length;
    else if (key !== undefined)
      value = (Array.isArray(value) ? value : []).find((item) => isObject(item) && String(item[key]) === wanted);
    else if (index !== undefined) value = Array.isArray(value) ? value[Number(index)] : undefined;
    else value = isObject(value) ? value[dotted ?? quoted ?? ''] : undefined;
  }
  return value;
}

/** The part of an HTTP answer that is compared, in the form of `expect`. */
export function observedHttp(answer: Answer, step: Step): Record<string, unknown> {
  const seen: Record<string, unknown> = { is: summary(answer, step) };
  if (step.headers?.length) {
    seen.headers = Object.fromEntries(
      step.headers.map((name) => [name, answer.headers[name.toLowerCase()] ?? '(absent)']),
    );
  }
  const kept = dropKeys(answer.json, new Set([...DROPPED, ...(step.drop ?? [])]));
  const json = step.shape ? shapeOf(kept) : kept;
  const found = { ...answer, json };
  if (step.x509 !== undefined) seen.x509 = x509Facts(String(lookup(step.x509, found) ?? ''));
  if (step.only) seen.only = Object.fromEntries(step.only.map((path) => [path, lookup(path, found) ?? null]));
  if (step.keys) {
    seen.keys = Object.fromEntries(step.keys.map((path) => [path, Object.keys(lookup(path, found) ?? {}).sort()]));
  }
  if (!step.only && !step.keys && step.x509 === undefined && !step.no_body) {
    if (answer.tar) seen.tar = answer.tar;
    else if (answer.text !== undefined) seen.text = answer.text;
    else if (json !== undefined) seen.json = json;
  }
  return step.mask === undefined ? seen : (masked(seen, maskOf(step.mask)) as Record<string, unknown>);
}

/** The recordings write `(?s)` where a dot means line ends too. */
function maskOf(mask: string): RegExp {
  return mask.startsWith('(?s)') ? new RegExp(mask.slice(4), 'gs') : new RegExp(mask, 'g');
}

/** Status, media type and the presence of the two index headers. */
function summary(answer: Answer, step: Step): string {
  const kind = (answer.headers['content-type'] ?? '').split(';')[0]!;
  const media = { 'application/json': 'json', 'text/plain': 'text', '': 'untyped' }[kind] ?? kind;
  const words = [String(answer.status), media];
  if ('x-consul-index' in answer.headers) words.push('index');
  if ('x-consul-knownleader' in answer.headers) words.push('leader');
  return words.filter((word) => !step.skip?.includes(word)).join(' ');
}

/** Names and key of a certificate, from openssl's text; null without openssl. */
function x509Facts(pem: string): unknown {
  const { stdout, error } = spawnSync('openssl', ['x509', '-noout', '-text'], { input: pem, encoding: 'utf8' });
  if (error) return null;
  const uses = /TLS Web \w+ Authentication|Digital Signature|Certificate Sign|CRL Sign/g;
  return {
    uris: [...stdout.matchAll(/URI:([^\s,]+)/g)].map((match) => match[1]),
    ca: stdout.includes('CA:TRUE'),
    key: [...stdout.matchAll(/Public Key Algorithm: (\S+)/g)].map((match) => match[1]).join(''),
    uses: [...stdout.matchAll(uses)].map((match) => match[0]).sort(),
  };
}

function dropKeys(value: unknown, names: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((item) => dropKeys(item, names));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !names.has(key))
      .map(([key, item]) => [key, dropKeys(item, names)]),
  );
}

/** Keys and types only. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return '<any>';
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shapeOf(item)]));
  return { boolean: '<bool>', number: '<number>', string: '<any>' }[typeof value as string] ?? null;
}

function masked(value: unknown, pattern: RegExp): unknown {
  if (typeof value === 'string') return value.replace(pattern, '<any>');
  if (Array.isArray(value)) return value.map((item) => masked(item, pattern));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, masked(item, pattern)]));
}
