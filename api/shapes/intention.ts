import { AppError } from '../../core/errors.ts';
import { ANY, decodeBody, map, object, STRING } from '../decode.ts';
import { decodeConfigEntry } from './config-entry/decode.ts';
import type { Indexes, IntentionPermission, IntentionSource, ServiceIntentions } from './config-entry/entry.ts';

/** One intention in the shape of Consul's answers. Those with an id of their own were made by the deprecated endpoints. */
export interface Intention extends Indexes {
  readonly ID?: string;
  readonly Description?: string;
  readonly SourceNS: string;
  readonly SourceName: string;
  readonly SourcePeer?: string;
  readonly DestinationNS: string;
  readonly DestinationName: string;
  readonly SourceType: string;
  readonly Action?: 'allow' | 'deny';
  readonly Permissions?: readonly IntentionPermission[];
  readonly Meta?: Readonly<Record<string, string>>;
  readonly Precedence: number;
  readonly CreatedAt?: string;
  readonly UpdatedAt?: string;
  readonly Hash?: string;
}

/** A service, or `*`, of this cluster or of a peer. */
export interface ServiceName {
  readonly name: string;
  readonly peer?: string;
}

/** What a body says about an intention. */
export interface IntentionContent {
  readonly id: string;
  readonly source: string;
  readonly destination: string;
  /** As a source of the destination's configuration entry, not checked yet. */
  readonly given: IntentionSource;
  readonly meta: Readonly<Record<string, string>> | undefined;
}

export const INTENTION_BODY = object(
  {
    ID: STRING,
    Description: STRING,
    SourceNS: STRING,
    SourceName: STRING,
    SourcePeer: STRING,
    DestinationNS: STRING,
    DestinationName: STRING,
    SourceType: STRING,
    Action: STRING,
    Permissions: ANY,
    Meta: map(STRING),
  },
  [
    'Precedence',
    'SourcePartition',
    'DestinationPartition',
    'SourceSamenessGroup',
    'DefaultAddr',
    'DefaultPort',
    'CreatedAt',
    'UpdatedAt',
    'Hash',
    'CreateIndex',
    'ModifyIndex',
  ],
);
type Body = Partial<Record<'ID' | 'Description' | 'SourceNS' | 'SourceName' | 'SourcePeer', string>> &
  Partial<Record<'DestinationNS' | 'DestinationName' | 'SourceType' | 'Action', string>> & {
    Permissions?: unknown;
    Meta?: Record<string, string>;
  };

/** @throws AppError `badRequest`; the text begins with "Request deco" when the body cannot be decoded. */
export function decodeIntention(body: Buffer): IntentionContent {
  const decoded = (decodeBody(INTENTION_BODY, body) ?? {}) as Body;
  const { SourceName: name = '', DestinationName: destination = '' } = decoded;
  for (const field of ['SourceNS', 'DestinationNS'] as const) checkNamespace(decoded[field] ?? '', field);
  // Read as the configuration entry is, so that both ways of writing obey the same rules.
  const { Sources } = decodeConfigEntry({
    Kind: 'service-intentions',
    Name: destination,
    Sources: [
      {
        Name: name,
        Peer: decoded.SourcePeer,
        Action: decoded.Action,
        Type: decoded.SourceType,
        Description: decoded.Description,
        Permissions: decoded.Permissions,
      },
    ],
  }) as ServiceIntentions;
  return { id: decoded.ID ?? '', source: name, destination, given: Sources[0]!, meta: decoded.Meta };
}

/**
 * `name`, `namespace/name`, `partition/namespace/name` or `peer:peer/name`.
 * @throws AppError `badRequest` that names the parameter.
 */
export function parseServiceName(text: string, parameter: string): ServiceName {
  const invalid = (why: string) =>
    new AppError('badRequest', `${parameter} ${JSON.stringify(text)} is invalid: ${why}`);
  const parts = text.split('/');
  if (parts.length > 3) throw invalid("input can contain at most two '/'");
  const name = parts.at(-1)!;
  if (text.startsWith('peer:')) {
    if (parts.length !== 2) throw invalid('want peer:<peer name>/<service name>');
    return { name, peer: parts[0]!.slice('peer:'.length) };
  }
  for (const tenant of parts.slice(0, -1)) {
    if (tenant.toLowerCase() !== 'default')
      throw invalid(`intentions are in "default", not in ${JSON.stringify(tenant)}`);
  }
  return { name };
}

function checkNamespace(namespace: string, field: string): void {
  if (namespace === '' || namespace.toLowerCase() === 'default') return;
  throw new AppError('badRequest', `${field} ${JSON.stringify(namespace)} is invalid: intentions are in "default"`);
}
