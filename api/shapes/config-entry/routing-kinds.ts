import { parseGoDuration } from '../../../core/duration.ts';
import { errorText } from '../../../core/errors.ts';
import { filterOf } from '../../filter/filter-cache.ts';
import { HEALTH_ROW } from '../../filter/rows.ts';
import { checkFailoverMode, checkLocality } from './defaults-kinds.ts';
import type {
  LoadBalancer,
  ResolverFailover,
  ResolverTarget,
  ServiceResolver,
  ServiceRoute,
  ServiceRouter,
  ServiceSplitter,
} from './entry.ts';
import {
  BOOL,
  DURATION,
  FLOAT,
  INT,
  listOf,
  mapOf,
  NANOSECONDS,
  pointer,
  STRING,
  STRINGS,
  TENANCY,
  value,
} from './field-type.ts';
import { checkHttpMatch, upperMethods } from './http-match.ts';
import { kindSpec, oneOf, refuse } from './kind-spec.ts';
import { FAILOVER_POLICY, HEADER_CHANGES, LOCALITY, TENANT } from './shared-fields.ts';

const SERVICE_AND_SUBSET = { Service: STRING, ServiceSubset: STRING, ...TENANT };
const MATCHER = { Name: STRING, Present: BOOL, Exact: STRING, Regex: STRING };

export const SERVICE_ROUTER = kindSpec<ServiceRouter>({
  fields: {
    Routes: listOf(
      value({
        Match: pointer({
          HTTP: pointer({
            PathExact: STRING,
            PathPrefix: STRING,
            PathRegex: STRING,
            CaseInsensitive: BOOL,
            Header: listOf(value({ ...MATCHER, Prefix: STRING, Suffix: STRING, Contains: STRING, Invert: BOOL })),
            QueryParam: listOf(value(MATCHER)),
            Methods: STRINGS,
          }),
        }),
        Destination: pointer({
          ...SERVICE_AND_SUBSET,
          PrefixRewrite: STRING,
          RequestTimeout: DURATION,
          IdleTimeout: DURATION,
          NumRetries: INT,
          RetryOnConnectFailure: BOOL,
          RetryOnStatusCodes: listOf(INT),
          RetryOn: STRINGS,
          RequestHeaders: HEADER_CHANGES,
          ResponseHeaders: HEADER_CHANGES,
        }),
      }),
    ),
  },
  normalize: (entry) => (entry.Routes ? { ...entry, Routes: entry.Routes.map(normalRoute) } : entry),
  check: ({ Routes: routes = [] }) => {
    for (const [at, route] of routes.entries()) checkRoute(route, at);
  },
});

/** A route without a service goes on to the one that is routed; that is left to the chain. */
function normalRoute(route: ServiceRoute): ServiceRoute {
  const http = route.Match?.HTTP;
  return http?.Methods ? { ...route, Match: { ...route.Match, HTTP: upperMethods(http) } } : route;
}

function checkRoute({ Match: match, Destination: destination }: ServiceRoute, at: number): void {
  const http = match?.HTTP;
  if (http) checkHttpMatch(http, { field: `Route[${at}] `, whole: `Route[${at}]` });
  if (!destination) return;
  if (destination.PrefixRewrite !== undefined && http?.PathExact === undefined && http?.PathPrefix === undefined) {
    refuse(`Route[${at}] cannot make use of PrefixRewrite without configuring either PathExact or PathPrefix`);
  }
  for (const field of ['RequestTimeout', 'IdleTimeout'] as const) {
    if (isNegative(destination[field])) refuse(`Route[${at}] Bad ${field} '${destination[field]}', must be >= 0`);
  }
  if ((destination.NumRetries ?? 0) < 0) refuse(`Route[${at}] Bad NumRetries ${destination.NumRetries}, must be >= 0`);
  if (destination.RetryOn?.some((condition) => condition === ''))
    refuse(`Route[${at}] RetryOn contains an empty string`);
}

export const SERVICE_SPLITTER = kindSpec<ServiceSplitter>({
  fields: {
    Splits: listOf(
      value({
        Weight: FLOAT,
        ...SERVICE_AND_SUBSET,
        RequestHeaders: HEADER_CHANGES,
        ResponseHeaders: HEADER_CHANGES,
      }),
    ),
  },
  // Weights count in steps of a hundredth.
  normalize: (entry) => ({
    ...entry,
    ...(entry.Splits && {
      Splits: entry.Splits.map((split) => ({ ...split, Weight: Math.round((split.Weight ?? 0) * 100) / 100 })),
    }),
  }),
  check({ Name: name, Splits: splits = [] }) {
    if (splits.length === 0) refuse('no splits configured');
    const seen = new Set<string>();
    let hundredths = 0;
    for (const { Weight: weight = 0, Service: service = name, ServiceSubset: subset = '' } of splits) {
      if (weight < 0 || weight > 100) refuse(`split weight must be between 0 and 100, not ${weight}`);
      hundredths += Math.round(weight * 100);
      const key = `service=${JSON.stringify(service)}, subset=${JSON.stringify(subset)}`;
      if (seen.has(key)) {
        refuse(`split destination occurs more than once: ${key}, namespace="", partition=""`);
      }
      seen.add(key);
    }
    if (hundredths !== 10_000) {
      refuse(`the sum of all split weights must be 100, not ${(hundredths / 100).toFixed(6)}`);
    }
  },
});

const TARGET = { ...SERVICE_AND_SUBSET, Datacenter: STRING, Peer: STRING };

export const SERVICE_RESOLVER = kindSpec<ServiceResolver>({
  fields: {
    DefaultSubset: STRING,
    Subsets: mapOf(value({ Filter: STRING, OnlyPassing: BOOL })),
    Redirect: pointer({ ...TARGET, SamenessGroup: TENANCY }),
    Failover: mapOf(
      value({
        ...SERVICE_AND_SUBSET,
        SamenessGroup: TENANCY,
        Datacenters: STRINGS,
        Targets: listOf(value(TARGET)),
        Policy: FAILOVER_POLICY,
      }),
    ),
    ConnectTimeout: DURATION,
    RequestTimeout: DURATION,
    LoadBalancer: pointer({
      Policy: STRING,
      RingHashConfig: pointer({ MinimumRingSize: INT, MaximumRingSize: INT }),
      LeastRequestConfig: pointer({ ChoiceCount: INT }),
      HashPolicies: listOf(
        value({
          Field: STRING,
          FieldValue: STRING,
          CookieConfig: pointer({ Session: BOOL, TTL: NANOSECONDS, Path: STRING }),
          SourceIP: BOOL,
          Terminal: BOOL,
        }),
      ),
    }),
    PrioritizeByLocality: LOCALITY,
  },
  check(entry) {
    const { Subsets: subsets = {}, DefaultSubset: chosen } = entry;
    for (const [name, subset] of Object.entries(subsets)) {
      if (name === '') refuse('Subset defined with empty name');
      if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) {
        refuse(
          `Subset ${JSON.stringify(name)} is invalid: must be lower-case letters, digits and hyphens, at most 63, without a hyphen at either end`,
        );
      }
      checkFilter(name, subset.Filter);
    }
    if (chosen !== undefined && !Object.hasOwn(subsets, chosen)) {
      refuse(`DefaultSubset ${JSON.stringify(chosen)} is not a valid subset`);
    }
    if (entry.Redirect) checkRedirect(entry.Redirect, entry);
    for (const [name, failover] of Object.entries(entry.Failover ?? {})) checkFailover(name, failover, subsets);
    for (const field of ['ConnectTimeout', 'RequestTimeout'] as const) {
      if (isNegative(entry[field])) refuse(`Bad ${field} '${entry[field]}', must be >= 0`);
    }
    if (entry.LoadBalancer) checkLoadBalancer(entry.LoadBalancer);
    checkLocality(entry.PrioritizeByLocality?.Mode);
  },
});

function checkFilter(subset: string, filter = ''): void {
  try {
    filterOf(filter, HEALTH_ROW);
  } catch (error) {
    refuse(`Filter for subset ${JSON.stringify(subset)} is not a valid expression: ${errorText(error)}`);
  }
}

function checkRedirect(redirect: ResolverTarget, { Name: name, Failover: failover }: ServiceResolver): void {
  if (Object.keys(redirect).length === 0) refuse('Redirect is empty');
  if (failover) refuse('Redirect and Failover cannot be set together');
  if (redirect.ServiceSubset !== undefined && redirect.Service === undefined) {
    refuse('Redirect.ServiceSubset defined without Redirect.Service');
  }
  checkPeer(redirect, 'Redirect');
  const { Service: service, ServiceSubset: subset, Datacenter: datacenter, Peer: peer } = redirect;
  if (
    service?.toLowerCase() === name.toLowerCase() &&
    subset === undefined &&
    datacenter === undefined &&
    peer === undefined
  ) {
    refuse(`Redirect.Service ${JSON.stringify(service)} is the service itself`);
  }
}

function checkPeer(target: ResolverTarget, where: string): void {
  if (target.Peer === undefined) return;
  if (target.ServiceSubset !== undefined) refuse(`${where}.Peer cannot be set with ${where}.ServiceSubset`);
  if (target.Datacenter !== undefined) refuse(`${where}.Peer cannot be set with ${where}.Datacenter`);
}

function checkFailover(name: string, failover: ResolverFailover, subsets: Readonly<Record<string, unknown>>): void {
  const where = `Bad Failover[${JSON.stringify(name)}]`;
  if (name !== '*' && name !== '' && !Object.hasOwn(subsets, name)) refuse(`${where}: not a valid subset`);
  const { Service: service, ServiceSubset: subset, Datacenters: datacenters, Targets: targets } = failover;
  const plain = service !== undefined || subset !== undefined || datacenters !== undefined;
  if (!plain && !targets) {
    refuse(`${where}: one of Service, ServiceSubset, Targets, or Datacenters is required`);
  }
  if (plain && targets) refuse(`${where}: Targets cannot be set with Service, ServiceSubset, or Datacenters`);
  if (datacenters?.some((datacenter) => datacenter === ''))
    refuse(`${where}: Datacenters must not contain an empty name`);
  for (const [at, target] of (targets ?? []).entries()) {
    if (Object.keys(target).length === 0) refuse(`${where}.Targets[${at}] is empty`);
    checkPeer(target, `${where}.Targets[${at}]`);
  }
  checkFailoverMode(failover.Policy?.Mode);
}

const POLICIES = ['', 'random', 'round_robin', 'least_request', 'ring_hash', 'maglev'];
const HASH_FIELDS = ['', 'header', 'cookie', 'query_parameter'];

function checkLoadBalancer(balancer: LoadBalancer): void {
  const { Policy: policy = '', HashPolicies: hashes = [], RingHashConfig: ring, LeastRequestConfig: least } = balancer;
  if (!POLICIES.includes(policy)) {
    refuse(`Bad LoadBalancer policy: ${JSON.stringify(policy)} is not supported, want ${oneOf(POLICIES.slice(1))}`);
  }
  if (ring && policy !== 'ring_hash')
    refuse(
      `Bad LoadBalancer configuration: RingHashConfig specified for incompatible load balancing policy ${JSON.stringify(policy)}`,
    );
  if (least && policy !== 'least_request') {
    refuse(
      `Bad LoadBalancer configuration: LeastRequestConfig specified for incompatible load balancing policy ${JSON.stringify(policy)}`,
    );
  }
  if (hashes.length > 0 && policy !== 'ring_hash' && policy !== 'maglev') {
    refuse(
      `Bad LoadBalancer configuration: HashPolicies specified for non-hash-based Policy: ${JSON.stringify(policy)}`,
    );
  }
  for (const [at, hash] of hashes.entries()) {
    const where = `Bad LoadBalancer HashPolicy[${at}]`;
    const { Field: field = '', FieldValue: fieldValue, CookieConfig: cookie } = hash;
    if (!HASH_FIELDS.includes(field)) refuse(`${where}: ${JSON.stringify(field)} is not a supported field`);
    if (hash.SourceIP && (field !== '' || fieldValue !== undefined)) {
      refuse(`${where}: A single hash policy cannot hash both a source address and a ${JSON.stringify(field)}`);
    }
    if (!hash.SourceIP && (field === '' || fieldValue === undefined)) {
      refuse(`${where}: Field and FieldValue are required, unless SourceIP is set`);
    }
    if (cookie && field !== 'cookie') refuse(`${where}: cookie_config provided for ${JSON.stringify(field)}`);
    if (cookie?.Session && cookie.TTL !== undefined) refuse(`${where}: a session cookie cannot have an associated TTL`);
  }
}

function isNegative(duration: string | undefined): boolean {
  return duration !== undefined && (parseGoDuration(duration) ?? 0) < 0;
}
