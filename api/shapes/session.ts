import { parseGoDuration } from '../../core/duration.ts';
import { AppError } from '../../core/errors.ts';
import { ANY, decodeBody, list, object, STRING } from '../decode.ts';
import { checkedNamespace } from '../http/request-params.ts';

/** A check of a service that a session depends on. */
export interface SessionServiceCheck {
  readonly ID: string;
  readonly Namespace?: string;
}

/** A session in Consul's JSON form. */
export interface Session {
  readonly ID: string;
  readonly Name: string;
  readonly Node: string;
  /** Nanoseconds. */
  readonly LockDelay: number;
  readonly Behavior: 'release' | 'delete';
  /** As it was given; '' = none. */
  readonly TTL: string;
  readonly NodeChecks: readonly string[];
  readonly ServiceChecks: readonly SessionServiceCheck[] | null;
  /** When it is not `default`. */
  readonly Namespace?: string;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

/** A session that is asked for. */
export type SessionContent = Omit<Session, 'ID' | 'Namespace' | 'CreateIndex' | 'ModifyIndex'>;

const NS_PER_MS = 1e6;
const NS_PER_S = 1e9;
const DEFAULT_LOCK_DELAY_NS = 15 * NS_PER_S;
/** Bare numbers below this are seconds, as in Consul: nobody means so few nanoseconds. */
const SECONDS_BELOW = 1000;
/** The check that says whether a node's agent is alive. */
const NODE_HEALTH = 'serfHealth';

export const SESSION_BODY = object(
  {
    Name: STRING,
    Node: STRING,
    LockDelay: ANY,
    Behavior: STRING,
    TTL: STRING,
    NodeChecks: list(STRING),
    ServiceChecks: list(object({ ID: STRING, Namespace: STRING })),
    Checks: list(STRING),
    Namespace: STRING,
  },
  ['ID', 'CreateIndex', 'ModifyIndex'],
);

interface Decoded {
  Name?: string;
  Node?: string;
  LockDelay?: unknown;
  Behavior?: string;
  TTL?: string;
  NodeChecks?: string[];
  ServiceChecks?: { ID?: string; Namespace?: string }[];
  Checks?: string[];
  Namespace?: string;
}

/**
 * Reads the body of a session's creation; an empty one asks for the defaults. The namespace is undefined when the body does not name
 * one. @throws AppError `badRequest`.
 */
export function decodeSession(
  body: Buffer,
  defaults: { readonly node: string },
): { readonly content: SessionContent; readonly namespace: string | undefined } {
  const given = (body.length === 0 ? {} : (decodeBody(SESSION_BODY, body) ?? {})) as Decoded;
  const namespace = given.Namespace ? checkedNamespace(given.Namespace) : undefined;
  return { content: contentOf(given, defaults), namespace };
}

function contentOf(given: Decoded, defaults: { readonly node: string }): SessionContent {
  return {
    Name: given.Name ?? '',
    Node: given.Node || defaults.node,
    LockDelay: lockDelay(given.LockDelay),
    Behavior: (given.Behavior || 'release') as Session['Behavior'],
    TTL: given.TTL ?? '',
    NodeChecks: [...new Set([...(given.NodeChecks ?? [NODE_HEALTH]), ...(given.Checks ?? [])])],
    ServiceChecks:
      given.ServiceChecks?.map(({ ID = '', Namespace }) => (Namespace ? { ID, Namespace } : { ID })) ?? null,
  };
}

function lockDelay(given: unknown): number {
  if (given === undefined || given === null) return DEFAULT_LOCK_DELAY_NS;
  if (typeof given === 'number' && Number.isSafeInteger(given) && given >= 0) {
    return given < SECONDS_BELOW ? given * NS_PER_S : given;
  }
  const ms = typeof given === 'string' ? parseGoDuration(given || '0') : undefined;
  if (ms === undefined || ms < 0 || ms * NS_PER_MS > Number.MAX_SAFE_INTEGER) {
    throw new AppError(
      'badRequest',
      `Request decode failed: time: invalid duration ${JSON.stringify(given)} in field LockDelay, want for example "15s"`,
      { facts: { field: 'LockDelay' } },
    );
  }
  return Math.round(ms * NS_PER_MS);
}
