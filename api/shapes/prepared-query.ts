import { parseGoDuration } from '../../core/duration.ts';
import { AppError } from '../../core/errors.ts';
import { BOOL, decodeBody, INT, list, map, object, STRING } from '../decode.ts';
import { checkedNamespace } from '../http/request-params.ts';
import type { HealthEntry, Indexed } from './catalog.ts';

export interface QueryFailover {
  readonly NearestN: number;
  readonly Datacenters: readonly string[] | null;
  readonly Targets: readonly QueryTarget[] | null;
}

export interface QueryTarget {
  readonly Peer: string;
  readonly Datacenter: string;
}

/** Which instances a prepared query gives. */
export interface QueryService {
  readonly Service: string;
  /** Of the service; absent = that of whoever asks. */
  readonly Namespace?: string;
  /** Always '': sameness groups do not exist here. */
  readonly SamenessGroup: string;
  readonly Failover: QueryFailover;
  readonly OnlyPassing: boolean;
  /** Checks that count as if they were not there. */
  readonly IgnoreCheckIDs: readonly string[] | null;
  readonly Near: string;
  /** All of these; one that begins with `!` must be absent. */
  readonly Tags: readonly string[] | null;
  readonly NodeMeta: Readonly<Record<string, string>> | null;
  readonly ServiceMeta: Readonly<Record<string, string>> | null;
  readonly Connect: boolean;
  readonly Peer: string;
}

/** What a prepared query declares (Consul HTTP API, "Prepared Query"). */
export interface QueryContent {
  readonly Name: string;
  readonly Session: string;
  readonly Token: string;
  readonly Template: { readonly Type: string; readonly Regexp: string; readonly RemoveEmptyTags: boolean };
  readonly Service: QueryService;
  readonly DNS: { readonly TTL: string };
}

export type PreparedQuery = { readonly ID: string } & QueryContent & Readonly<Indexed>;

/** What an execution found, without what says how the answer was made. */
export interface QueryAnswer {
  readonly Service: string;
  readonly Nodes: readonly HealthEntry[];
  readonly DNS: { readonly TTL: string };
  readonly Datacenter: string;
  readonly PeerName: string;
  readonly Failovers: number;
}

const TARGET = object({ Peer: STRING, Datacenter: STRING }, ['Partition', 'Namespace']);
const SERVICE = object(
  {
    Service: STRING,
    Namespace: STRING,
    SamenessGroup: STRING,
    Failover: object({ NearestN: INT, Datacenters: list(STRING), Targets: list(TARGET) }),
    OnlyPassing: BOOL,
    IgnoreCheckIDs: list(STRING),
    Near: STRING,
    Tags: list(STRING),
    NodeMeta: map(STRING),
    ServiceMeta: map(STRING),
    Connect: BOOL,
    Peer: STRING,
  },
  ['Partition'],
);
export const QUERY_BODY = object(
  {
    ID: STRING,
    Name: STRING,
    Session: STRING,
    Token: STRING,
    Template: object({ Type: STRING, Regexp: STRING, RemoveEmptyTags: BOOL }),
    Service: SERVICE,
    DNS: object({ TTL: STRING }),
  },
  ['CreateIndex', 'ModifyIndex'],
);

type Given<T> = { readonly [K in keyof T]?: T[K] };
type GivenQuery = Omit<Given<QueryContent>, 'Service' | 'Template'> & {
  readonly ID?: string;
  readonly Template?: Given<QueryContent['Template']>;
  readonly Service?: Omit<Given<QueryService>, 'Failover'> & {
    readonly Failover?: Omit<Given<QueryFailover>, 'Targets'> & { readonly Targets?: readonly Given<QueryTarget>[] };
  };
};

/** Decodes a definition, with everything that is not given at its zero. @throws AppError `badRequest`. */
export function decodeQuery(body: Buffer): { readonly id: string; readonly content: QueryContent } {
  const given = (decodeBody(QUERY_BODY, body) ?? {}) as GivenQuery;
  const content: QueryContent = {
    Name: given.Name ?? '',
    Session: given.Session ?? '',
    Token: given.Token ?? '',
    Template: { Type: '', Regexp: '', RemoveEmptyTags: false, ...given.Template },
    Service: serviceOf(given.Service ?? {}),
    DNS: { TTL: given.DNS?.TTL ?? '' },
  };
  return { id: given.ID ?? '', content };
}

function serviceOf(given: NonNullable<GivenQuery['Service']>): QueryService {
  const { Failover: failover } = given;
  return {
    Service: given.Service ?? '',
    ...(given.Namespace ? { Namespace: checkedNamespace(given.Namespace) } : {}),
    SamenessGroup: given.SamenessGroup ?? '',
    Failover: {
      NearestN: failover?.NearestN ?? 0,
      Datacenters: failover?.Datacenters ?? null,
      Targets: failover?.Targets?.map((target) => ({ Peer: '', Datacenter: '', ...target })) ?? null,
    },
    OnlyPassing: given.OnlyPassing ?? false,
    IgnoreCheckIDs: given.IgnoreCheckIDs ?? null,
    Near: given.Near ?? '',
    Tags: given.Tags ?? null,
    NodeMeta: given.NodeMeta ?? null,
    ServiceMeta: given.ServiceMeta ?? null,
    Connect: given.Connect ?? false,
    Peer: given.Peer ?? '',
  };
}

/** What makes no sense by itself, in Consul's words. @throws AppError `badRequest` naming the field. */
export function checkQuery(query: QueryContent): void {
  const { Service: service } = query;
  const { NearestN, Datacenters, Targets } = service.Failover;
  if (query.Name === '' && query.Template.Type === '' && query.Session === '') {
    throw invalid('Session', 'Must be bound to a session');
  }
  if (service.Service === '') throw invalid('Service.Service', 'Must provide a Service name to query');
  if (service.SamenessGroup !== '') throw invalid('Service.SamenessGroup', 'Sameness groups are not supported');
  if (NearestN < 0) throw invalid('Service.Failover.NearestN', `Bad NearestN '${NearestN}', must be >= 0`);
  if (Targets?.length && (NearestN !== 0 || Datacenters?.length)) {
    throw invalid('Service.Failover.Targets', 'Targets cannot be populated with NearestN or Datacenters');
  }
  checkTtl(query.DNS.TTL);
}

function checkTtl(ttl: string): void {
  if (ttl === '') return;
  const ms = parseGoDuration(ttl);
  if (ms === undefined) throw invalid('DNS.TTL', `Bad DNS TTL '${ttl}': time: invalid duration "${ttl}"`);
  if (ms < 0) throw invalid('DNS.TTL', `DNS TTL '${ttl}', must be >=0`);
}

function invalid(field: string, text: string): AppError {
  return new AppError('badRequest', `Invalid prepared query: ${text}`, { facts: { field } });
}
