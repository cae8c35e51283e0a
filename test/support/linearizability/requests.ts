import type { Answer, Call, Seen } from './operations.ts';

/** What a key of a history stands for; told by its last part's beginning. */
export type KeyKind = 'kv' | 'lock' | 'pair' | 'service';

/** A `pair` is two keys that transactions write, check and read together; a `service` one instance of one service. */
export function kindOf(key: string): KeyKind {
  const name = key.slice(key.lastIndexOf('/') + 1);
  return (['lock', 'pair', 'service'] as const).find((kind) => name.startsWith(kind)) ?? 'kv';
}

/** An HTTP request for one operation, and what an answer of status 200, 404 or 409 says; undefined: nothing that is known. */
export interface OperationRequest {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: string;
  readonly answer: (status: number, text: string) => { readonly is: Answer } | undefined;
}

/** `consistent`: reads ask for it, where that is possible. */
export function requestOf(key: string, call: Call, consistent: boolean): OperationRequest {
  if (call.kind === 'destroy') return { method: 'PUT', path: `/v1/session/destroy/${call.session}`, answer: written };
  if (call.kind === 'guarded') return guarded(key, call);
  const kind = kindOf(key);
  if (kind === 'pair') return pairRequest(key, call);
  return kind === 'service' ? serviceRequest(key, call, consistent) : keyRequest(key, call, consistent);
}

type PlainCall = Exclude<Call, { kind: 'destroy' } | { kind: 'guarded' }>;

function keyRequest(key: string, call: PlainCall, consistent: boolean): OperationRequest {
  const path = `/v1/kv/${key}`;
  switch (call.kind) {
    case 'read':
      return { method: 'GET', path: `${path}${consistent ? '?consistent' : ''}`, answer: keySeen };
    case 'delete':
      return { method: 'DELETE', path, answer: written };
    case 'write':
      return { method: 'PUT', path, body: call.value, answer: written };
    case 'cas':
      return { method: 'PUT', path: `${path}?cas=${call.index}`, body: call.value, answer: written };
    default:
      return { method: 'PUT', path: `${path}?${call.kind}=${call.session}`, body: call.value, answer: written };
  }
}

const NODE = 'chaos';
const SERVICE = 'chaos-set';

function serviceRequest(key: string, call: PlainCall, consistent: boolean): OperationRequest {
  const id = key.replaceAll('/', '-');
  const put = (path: string, body: object): OperationRequest => {
    return { method: 'PUT', path, body: JSON.stringify({ Node: NODE, ...body }), answer: written };
  };
  switch (call.kind) {
    case 'read': {
      const filter = encodeURIComponent(`ServiceID == "${id}"`);
      const path = `/v1/catalog/service/${SERVICE}?filter=${filter}${consistent ? '&consistent' : ''}`;
      return { method: 'GET', path, answer: instanceSeen };
    }
    case 'delete':
      return put('/v1/catalog/deregister', { ServiceID: id });
    case 'write':
      return put('/v1/catalog/register', {
        Address: '10.9.9.9',
        Service: { ID: id, Service: SERVICE, Meta: { value: call.value } },
      });
    default:
      throw new Error(`an instance has no ${call.kind}`);
  }
}

function pairRequest(key: string, call: PlainCall): OperationRequest {
  const keys = [`${key}/a`, `${key}/b`];
  const ops = (op: object) => keys.map((Key) => ({ Key, ...op }));
  switch (call.kind) {
    case 'read':
      return transaction(ops({ Verb: 'get' }), pairSeen);
    case 'delete':
      return transaction(ops({ Verb: 'delete' }));
    case 'write':
      return transaction(ops({ Verb: 'set', Value: base64(call.value) }));
    case 'cas':
      return transaction(ops({ Verb: 'cas', Value: base64(call.value), Index: call.index }));
    default:
      throw new Error(`a pair has no ${call.kind}`);
  }
}

function guarded(key: string, { value, session }: { value: string; session: string }): OperationRequest {
  const check = { Verb: 'check-session', Key: key, Session: session };
  return transaction([check, { Verb: 'set', Key: key, Value: base64(value) }]);
}

function transaction(ops: readonly object[], answer: OperationRequest['answer'] = committed): OperationRequest {
  return { method: 'PUT', path: '/v1/txn', body: JSON.stringify(ops.map((KV) => ({ KV }))), answer };
}

function written(status: number, text: string): { is: Answer } | undefined {
  return status === 200 && /^(true|false)\s*$/.test(text) ? { is: text.trim() === 'true' } : undefined;
}

function committed(status: number): { is: Answer } | undefined {
  return status === 200 || status === 409 ? { is: status === 200 } : undefined;
}

interface Item {
  readonly Value: string;
  readonly ModifyIndex: number;
  readonly Session?: string;
}

function keySeen(status: number, text: string): { is: Answer } | undefined {
  if (status === 404) return { is: undefined };
  return status === 200 ? { is: seen((JSON.parse(text) as Item[])[0]!) } : undefined;
}

function instanceSeen(status: number, text: string): { is: Answer } | undefined {
  if (status !== 200) return undefined;
  const [found] = JSON.parse(text) as { ServiceMeta: { value: string }; ModifyIndex: number }[];
  return { is: found && { value: found.ServiceMeta.value, index: found.ModifyIndex } };
}

/** Halves that differ give a value that nobody wrote. */
function pairSeen(status: number, text: string): { is: Answer } | undefined {
  const { Results, Errors } = JSON.parse(text) as { Results: { KV: Item }[] | null; Errors: object[] | null };
  if (status === 409) return { is: Errors?.length === 2 ? undefined : { value: 'half of a pair', index: 1 } };
  if (status !== 200) return undefined;
  const [a, b] = Results!.map(({ KV }) => seen(KV));
  return { is: a!.value === b!.value && a!.index === b!.index ? a : { ...a!, value: `${a!.value} | ${b!.value}` } };
}

function seen({ Value, ModifyIndex, Session }: Item): Seen {
  const value = Buffer.from(Value, 'base64').toString();
  return { value, index: ModifyIndex, ...(Session ? { session: Session } : {}) };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
