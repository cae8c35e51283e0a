import { AppError } from '../../core/errors.ts';
import { ANY, decodeBody, INT, list, map, object, objectOf, type Schema, STRING } from '../decode.ts';
import { checkedNamespace } from '../http/request-params.ts';
import { CHECK, SERVICE } from './decode-registration.ts';
import { parseUint64 } from './kv.ts';
import type { CheckRegistration, ServiceRegistration } from './registration.ts';

/** The verbs of operations that change something, of every kind. */
export const TXN_WRITES: ReadonlySet<string> = new Set([
  'set',
  'cas',
  'lock',
  'unlock',
  'delete',
  'delete-tree',
  'delete-cas',
]);

export interface KvOp {
  readonly kind: 'KV';
  readonly verb: string;
  readonly key: string;
  readonly value: Buffer;
  readonly flags: bigint;
  readonly index: bigint;
  readonly session: string;
  /** undefined = that of the request. */
  readonly namespace?: string;
}

export interface TxnNode {
  readonly ID?: string;
  readonly Node?: string;
  readonly Address?: string;
  readonly TaggedAddresses?: Record<string, string>;
  readonly Meta?: Record<string, string>;
  readonly ModifyIndex?: number;
}

export interface NodeOp {
  readonly kind: 'Node';
  readonly verb: string;
  readonly node: TxnNode;
}

export interface ServiceOp {
  readonly kind: 'Service';
  readonly verb: string;
  readonly node: string;
  readonly service: ServiceRegistration & { ModifyIndex?: number };
}

export interface CheckOp {
  readonly kind: 'Check';
  readonly verb: string;
  readonly check: CheckRegistration & { Node?: string; ModifyIndex?: number };
}

export interface SessionOp {
  readonly kind: 'Session';
  readonly verb: string;
  readonly id: string;
}

/** One operation of a transaction. One that asks for nothing (an empty object) is left out. */
export type TxnOp = KvOp | NodeOp | ServiceOp | CheckOp | SessionOp;

/** What went wrong with which operation. */
export interface TxnError {
  readonly OpIndex: number;
  readonly What: string;
}

export const TXN_BODY = list(
  object({
    KV: object({
      Verb: STRING,
      Key: STRING,
      Value: STRING,
      Flags: ANY,
      Index: ANY,
      Session: STRING,
      Namespace: STRING,
    }),
    Node: object({
      Verb: STRING,
      Node: object(
        {
          ID: STRING,
          Node: STRING,
          Address: STRING,
          TaggedAddresses: map(STRING),
          Meta: map(STRING),
          ModifyIndex: INT,
        },
        ['Datacenter', 'CreateIndex', 'PeerName', 'Locality'],
      ),
    }),
    Service: object({ Verb: STRING, Node: STRING, Service: indexed(SERVICE) }),
    Check: object({ Verb: STRING, Check: indexed(CHECK) }),
    Session: object({ Verb: STRING, Session: object({ ID: STRING }, ['Name', 'Node', 'CreateIndex', 'ModifyIndex']) }),
  }),
);

interface DecodedOp {
  KV?: {
    Verb?: string;
    Key?: string;
    Value?: string;
    Flags?: unknown;
    Index?: unknown;
    Session?: string;
    Namespace?: string;
  };
  Node?: { Verb?: string; Node?: TxnNode };
  Service?: { Verb?: string; Node?: string; Service?: ServiceOp['service'] };
  Check?: { Verb?: string; Check?: CheckOp['check'] };
  Session?: { Verb?: string; Session?: { ID?: string } };
}

/** Body of PUT /v1/txn. @throws AppError `badRequest` with Consul's beginning. */
export function decodeTxn(body: Buffer): (TxnOp | undefined)[] {
  try {
    const ops = (decodeBody(TXN_BODY, exactNumbers(body)) ?? []) as DecodedOp[];
    return ops.map(opOf);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const text = error.message.replace(/^Request decode failed: /, '');
    throw new AppError('badRequest', `Failed to parse body: ${text}`, { facts: error.facts as { field: string } });
  }
}

function opOf(op: DecodedOp, at: number): TxnOp | undefined {
  if (op.KV) {
    return {
      kind: 'KV',
      verb: op.KV.Verb ?? '',
      key: op.KV.Key ?? '',
      value: base64(op.KV.Value ?? '', `[${at}].KV.Value`),
      flags: uint64(op.KV.Flags, `[${at}].KV.Flags`),
      index: uint64(op.KV.Index, `[${at}].KV.Index`),
      session: op.KV.Session ?? '',
      ...(op.KV.Namespace ? { namespace: checkedNamespace(op.KV.Namespace) } : {}),
    };
  }
  if (op.Node) return { kind: 'Node', verb: op.Node.Verb ?? '', node: op.Node.Node ?? {} };
  if (op.Service) {
    const { Verb = '', Node = '', Service = { Service: '' } } = op.Service;
    return { kind: 'Service', verb: Verb, node: Node, service: Service };
  }
  if (op.Check) return { kind: 'Check', verb: op.Check.Verb ?? '', check: op.Check.Check ?? {} };
  if (op.Session) return { kind: 'Session', verb: op.Session.Verb ?? '', id: op.Session.Session?.ID ?? '' };
  return undefined;
}

function indexed(schema: Schema): Schema {
  if (schema.kind !== 'object') return schema;
  return objectOf(new Map(schema.fields).set('modifyindex', { name: 'ModifyIndex', schema: INT }));
}

/** Numbers that JavaScript would round are put as texts, which `uint64` takes too. */
function exactNumbers(body: Buffer): Buffer {
  const text = body.toString();
  if (!/\d{16}/.test(text)) return body;
  try {
    const exact = (_key: string, value: unknown, context?: { source?: string }) =>
      typeof value === 'number' && !Number.isSafeInteger(value) && /^\d+$/.test(context?.source ?? '')
        ? context!.source
        : value;
    return Buffer.from(JSON.stringify(JSON.parse(text, exact)));
  } catch {
    return body; // the decoder says what is wrong
  }
}

function uint64(given: unknown, field: string): bigint {
  if (given === undefined || given === null) return 0n;
  const value = typeof given === 'number' || typeof given === 'string' ? parseUint64(String(given)) : '';
  if (typeof value === 'bigint') return value;
  throw new AppError(
    'badRequest',
    `json: cannot unmarshal ${JSON.stringify(given)} into field ${field} of type uint64`,
    {
      facts: { field },
    },
  );
}

function base64(text: string, field: string): Buffer {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw new AppError('badRequest', `illegal base64 data in field ${field}`, { facts: { field } });
  }
  return Buffer.from(text, 'base64');
}
