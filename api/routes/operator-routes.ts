import { AppError } from '../../core/errors.ts';
import { inDatacenter } from '../http/request-params.ts';
import type { Route, RouteRequest, RouteResponse } from '../http/route.ts';
import { decodeGossipKey } from '../shapes/keyring.ts';
import {
  type AutopilotConfig,
  decodeAutopilot,
  type RaftServer,
  type ServerHealth,
  type Usage,
} from '../shapes/operator.ts';
import { failed } from './kv-routes.ts';
import type { ReadRouteDeps } from './read-route.ts';

/** The servers that keep the data together: one alone, or a quorum. */
export interface QuorumBackend {
  /** The index at which this membership holds, and the members. */
  members(): { readonly index: number; readonly servers: readonly RaftServer[] };
  health(): readonly ServerHealth[];
  /** Undefined when done, else Consul's or our own text for why not. */
  remove(by: { readonly id: string } | { readonly address: string }): Promise<string | undefined>;
  /** To the named server, or to any. Undefined when done, else why not. */
  transferLeadership(id: string | undefined): Promise<string | undefined>;
}

export interface AutopilotBackend {
  config(): AutopilotConfig & { readonly CreateIndex: number; readonly ModifyIndex: number };
  /** Whether the condition held. */
  set(config: AutopilotConfig, cas: number | undefined): Promise<boolean>;
}

export interface OperatorBackend {
  readonly quorum: QuorumBackend;
  readonly autopilot: AutopilotBackend;
  usage(): { readonly index: number; readonly usage: Usage };
}

const NO_PEER = "Must specify either ?id with the server's ID or ?address with IP:port of peer to remove";
const NO_KEYRING = 'there is no keyring: gossip encryption is not configured, so there are no keys to list or change';

/** /v1/operator/… (Consul HTTP API, "Operator"). */
export function operatorRoutes(deps: ReadRouteDeps, { quorum, autopilot, usage }: OperatorBackend): Route[] {
  const route = (
    method: Route['method'],
    path: string,
    handle: (request: RouteRequest) => Promise<RouteResponse> | RouteResponse,
  ): Route => ({
    method,
    path: `/v1/operator/${path}`,
    handle: inDatacenter(deps, handle),
  });
  return [
    route('GET', 'raft/configuration', () => {
      const { index, servers } = quorum.members();
      return { json: { Servers: servers, Index: index } };
    }),
    route('DELETE', 'raft/peer', (request) => removePeer(quorum, request)),
    route('POST', 'raft/transfer-leader', async ({ query }) => {
      const refusal = await quorum.transferLeadership(query.get('id') || undefined);
      return refusal === undefined ? { json: { Success: true } } : failed(refusal);
    }),
    route('GET', 'autopilot/configuration', () => ({ json: autopilot.config() })),
    route('PUT', 'autopilot/configuration', async ({ query, body }) => {
      const cas = casOf(query);
      return { json: await autopilot.set(decodeAutopilot(body), cas) };
    }),
    route('GET', 'autopilot/health', () => {
      const health = healthOf(quorum.health());
      return { status: health.Healthy ? 200 : 429, json: health };
    }),
    route('GET', 'autopilot/state', () => ({ json: stateOf(quorum.health()) })),
    route('GET', 'usage', () => usageAnswer(deps.datacenter, usage())),
    ...(['GET', 'POST', 'PUT', 'DELETE'] as const).map((method) => route(method, 'keyring', keyring)),
  ];
}

/** What is asked is read before it is said that there is nothing to ask: bad input is told as such. */
function keyring({ method, query, body }: RouteRequest): RouteResponse {
  const relay = query.get('relay-factor') ?? '0';
  if (!/^[0-5]$/.test(relay)) {
    throw new AppError('badRequest', `Error parsing relay factor ${JSON.stringify(relay)}: want 0 to 5`, {
      facts: { field: 'relay-factor' },
    });
  }
  const local = query.get('local-only');
  if (local !== null && !['', '0', '1', 'true', 'false'].includes(local)) {
    throw new AppError('badRequest', `Error parsing local-only value ${JSON.stringify(local)}: want true or false`, {
      facts: { field: 'local-only' },
    });
  }
  if (method !== 'GET') decodeGossipKey(body);
  return failed(NO_KEYRING);
}

async function removePeer(quorum: QuorumBackend, { query }: RouteRequest): Promise<RouteResponse> {
  const id = query.get('id') ?? '';
  const address = query.get('address') ?? '';
  if (id === '' && address === '') return { status: 400, text: NO_PEER };
  if (id !== '' && address !== '') return { status: 400, text: 'Must specify only one of ?id or ?address' };
  const refusal = await quorum.remove(id === '' ? { address } : { id });
  return refusal === undefined ? {} : failed(refusal);
}

function casOf(query: URLSearchParams): number | undefined {
  const cas = query.get('cas');
  if (cas === null) return undefined;
  if (/^\d{1,16}$/.test(cas) && Number.isSafeInteger(Number(cas))) return Number(cas);
  throw new AppError('badRequest', `Error parsing cas value ${JSON.stringify(cas)}: want a ModifyIndex`, {
    facts: { field: 'cas' },
  });
}

/** Whether there are servers, and all are healthy. */
export function healthyServers(servers: readonly ServerHealth[]): boolean {
  return servers.length > 0 && servers.every((server) => server.Healthy);
}

/** How many of the healthy voters may fail before there is no majority of all voters. */
export function tolerance(servers: readonly ServerHealth[]): number {
  const voters = servers.filter((server) => server.Voter);
  const majority = Math.floor(voters.length / 2) + 1;
  return Math.max(0, voters.filter((server) => server.Healthy).length - majority);
}

function healthOf(servers: readonly ServerHealth[]) {
  return {
    Healthy: healthyServers(servers),
    FailureTolerance: tolerance(servers),
    Servers: servers.map(({ LastContactMs, stableSince, ...server }) => ({
      ID: server.ID,
      Name: server.Name,
      Address: server.Address,
      SerfStatus: server.Healthy ? 'alive' : 'failed',
      Version: server.Version,
      Leader: server.Leader,
      LastContact: `${LastContactMs}ms`,
      LastTerm: server.LastTerm,
      LastIndex: server.LastIndex,
      Healthy: server.Healthy,
      Voter: server.Voter,
      StableSince: new Date(stableSince).toISOString(),
    })),
  };
}

function stateOf(servers: readonly ServerHealth[]) {
  const states = servers.map(({ LastContactMs, stableSince, ...server }) => ({
    ID: server.ID,
    Name: server.Name,
    Address: server.Address,
    NodeStatus: server.Healthy ? 'alive' : 'failed',
    Version: server.Version,
    LastContact: `${LastContactMs}ms`,
    LastTerm: server.LastTerm,
    LastIndex: server.LastIndex,
    Healthy: server.Healthy,
    StableSince: new Date(stableSince).toISOString(),
    Status: server.Leader ? 'leader' : server.Voter ? 'voter' : 'non-voter',
    Meta: null,
    NodeType: 'voter',
  }));
  return {
    Healthy: servers.every((server) => server.Healthy),
    FailureTolerance: tolerance(servers),
    OptimisticFailureTolerance: tolerance(servers),
    Servers: Object.fromEntries(states.map((server) => [server.ID, server])),
    Leader: servers.find((server) => server.Leader)?.ID ?? '',
    Voters: servers.filter((server) => server.Voter).map((server) => server.ID),
  };
}

function usageAnswer(datacenter: string, { index, usage }: { index: number; usage: Usage }): RouteResponse {
  return {
    json: {
      Usage: { [datacenter]: usage },
      Index: index,
      LastContact: 0,
      KnownLeader: true,
      ConsistencyLevel: 'leader',
      NotModified: false,
      Backend: 0,
      ResultsFilteredByACLs: false,
    },
    meta: { index, knownLeader: true, lastContactMs: 0, effectiveConsistency: 'leader' },
  };
}
