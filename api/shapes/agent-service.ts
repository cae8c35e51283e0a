import { isIP } from 'node:net';
import { AppError } from '../../core/errors.ts';
import { ANY, BOOL, decodeBody, INT, list, map, object, STRING, saysNothing } from '../decode.ts';
import {
  AGENT_CHECK,
  type AgentCheck,
  type AgentCheckInput,
  type CheckPolicy,
  NO_SCRIPTS,
  normalizeAgentCheck,
} from './agent-check.ts';
import { decodeAgentBody } from './agent-decode.ts';
import type { Locality, NamedPort, ServiceAddress, ServiceInstance, Weights } from './catalog.ts';
import { meshProblems, problemList } from './mesh-rules.ts';
import { metadataCountProblem, metadataProblem } from './metadata.ts';
import { checkNameLength } from './name-limit.ts';
import { defaultPortOf } from './named-ports.ts';
import { connectFields, proxyFields } from './proxy-fields.ts';
import { type SidecarRequest, sidecarRequest } from './sidecar.ts';

/** A service as clients and configuration files give it to an agent (Consul HTTP API, "Register Service"). */
export interface AgentServiceInput {
  ID?: string;
  Name?: string;
  Kind?: string;
  Tags?: string[];
  Address?: string;
  TaggedAddresses?: Record<string, ServiceAddress>;
  Meta?: Record<string, string>;
  Port?: number;
  Ports?: NamedPort[];
  SocketPath?: string;
  Locality?: Locality;
  Weights?: Partial<Weights>;
  EnableTagOverride?: boolean;
  Proxy?: Record<string, unknown>;
  Connect?: Record<string, unknown>;
  Namespace?: string;
  Check?: AgentCheckInput;
  Checks?: AgentCheckInput[];
}

/** Fields of a service definition. */
export const AGENT_SERVICE = object(
  {
    ID: STRING,
    Name: STRING,
    Kind: STRING,
    Tags: list(STRING),
    Address: STRING,
    TaggedAddresses: map(object({ Address: STRING, Port: INT })),
    Meta: map(STRING),
    Port: INT,
    Ports: list(object({ Name: STRING, Port: INT, Default: BOOL })),
    SocketPath: STRING,
    Locality: object({ Region: STRING, Zone: STRING }),
    Weights: object({ Passing: INT, Warning: INT }),
    EnableTagOverride: BOOL,
    Proxy: ANY,
    Connect: ANY,
    Namespace: STRING,
    Check: AGENT_CHECK,
    Checks: list(AGENT_CHECK),
  },
  ['Token'],
);

/** A service instance of an agent, without what only the catalog knows. */
export type AgentServiceInstance = Omit<ServiceInstance, 'CreateIndex' | 'ModifyIndex' | 'Namespace'>;

/** A service ready for the agent. */
export interface AgentService {
  readonly instance: AgentServiceInstance;
  readonly checks: readonly AgentCheck[];
  readonly namespace: string | undefined;
  readonly sidecar?: SidecarRequest;
}

/** @throws AppError `badRequest` with Consul's texts. */
export function decodeAgentService(body: Buffer, policy: CheckPolicy = NO_SCRIPTS): AgentService {
  const input = (decodeAgentBody(() => decodeBody(AGENT_SERVICE, body)) ?? {}) as AgentServiceInput;
  const { Check: check, Weights: weights } = input;
  return normalizeAgentService(
    {
      ...input,
      // An object without anything in it is what some clients send for none; in a list it is a check that lacks all.
      ...(check && saysNothing(check) ? { Check: undefined } : {}),
      // Over HTTP a weight that is left out beside the other is 0, in a file 1.
      ...(weights ? { Weights: { Passing: 0, Warning: 0, ...weights } } : {}),
    },
    policy,
  );
}

/** Checks a definition and fills in what may be left out. @throws AppError `badRequest` with Consul's texts. */
export function normalizeAgentService(given: AgentServiceInput, policy: CheckPolicy = NO_SCRIPTS): AgentService {
  const input = withFieldNames(given);
  const name = input.Name ?? '';
  if (name === '') throw bad('Missing service name', 'Name');
  const id = input.ID || name;
  checkNameLength(name, 'Name');
  checkNameLength(id, 'ID');
  const address = input.Address ?? '';
  if (/^(0\.0\.0\.0|::|\[::\])$/.test(address)) throw bad('Invalid service address', 'Address');
  const port = checkedPort(input.Port ?? 0, 'Port');
  const weights = checkedWeights(input.Weights);
  checkMeta(input);
  const checks = [...(input.Check ? [input.Check] : []), ...(input.Checks ?? [])];
  const named = checks.map((check, at) =>
    normalizeAgentCheck(
      { ...check, ServiceID: id },
      {
        checkId: checks.length > 1 ? `service:${id}:${at + 1}` : `service:${id}`,
        name: `Service '${name}' check`,
      },
      policy,
    ),
  );
  checkProxy(input);
  const instance: AgentServiceInstance = {
    ...(input.Kind ? { Kind: input.Kind } : {}),
    ID: id,
    Service: name,
    Tags: input.Tags ?? [],
    Meta: input.Meta ?? {},
    Port: port,
    ...(input.Ports?.length ? { Ports: checkedPorts(input.Ports, port) } : {}),
    Address: address,
    ...(input.SocketPath ? { SocketPath: input.SocketPath } : {}),
    ...(input.Locality ? { Locality: input.Locality } : {}),
    ...taggedAddresses(input, address, port),
    Weights: weights,
    EnableTagOverride: input.EnableTagOverride ?? false,
    ...(input.Kind && input.Proxy ? { Proxy: input.Proxy } : {}),
    ...(input.Connect?.Native ? { Connect: { Native: true } } : {}),
  };
  const sidecar = sidecarRequest({ ...input, ID: id, Name: name });
  return { instance, checks: named, namespace: input.Namespace, ...(sidecar ? { sidecar } : {}) };
}

function withFieldNames(input: AgentServiceInput): AgentServiceInput {
  return {
    ...input,
    ...(isObject(input.Proxy) ? { Proxy: proxyFields(input.Proxy) } : {}),
    ...(isObject(input.Connect) ? { Connect: connectFields(input.Connect) } : {}),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkedPort(port: number, field: string): number {
  if (port < 0 || port > 65_535) throw bad(`Invalid ${field}: ${port} must be between 0 and 65535`, field);
  return port;
}

function checkedPorts(ports: readonly NamedPort[], port: number): NamedPort[] {
  const checked = ports.map(({ Name = '', Port = 0, Default }, at) => {
    if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(Name)) {
      throw bad(`Invalid Ports[${at}].Name: ${JSON.stringify(Name)} must be a DNS label in lower case`, 'Ports');
    }
    return { Name, Port: checkedPort(Port, `Ports[${at}].Port`), ...(Default ? { Default } : {}) };
  });
  defaultPortOf(port, checked, '');
  return checked;
}

function checkedWeights(input: Partial<Weights> | undefined): Weights {
  const weights = { Passing: input?.Passing ?? 1, Warning: input?.Warning ?? 1 };
  if (weights.Passing < 1) throw bad('Invalid Weights: Passing must be greater than 0', 'Weights.Passing');
  if (weights.Warning < 0) throw bad('Invalid Weights: Warning must be greater or equal than 0', 'Weights.Warning');
  if (weights.Passing > 65_535 || weights.Warning > 65_535) {
    throw bad('Invalid Weights: DNS Weight must be between 0 and 65535', 'Weights');
  }
  return weights;
}

/** By this a mesh gateway says that servers of other datacenters reach those of its own through it (Consul, WAN federation). */
const WAN_FEDERATION = 'consul-wan-federation';

function checkMeta({ Kind, Meta = {} }: AgentServiceInput): void {
  const tooMany = metadataCountProblem(Meta);
  if (tooMany) throw bad(`Invalid Service Meta: ${tooMany}`, 'Meta');
  for (const [key, value] of Object.entries(Meta)) {
    if (Kind === 'mesh-gateway' && key === WAN_FEDERATION) continue;
    const problem = metadataProblem(key, value);
    if (problem)
      throw bad(`Invalid Service Meta: Couldn't load metadata pair ('${key}', '${value}'): ${problem}`, 'Meta');
  }
}

function checkProxy(input: AgentServiceInput): void {
  const problems = meshProblems(input, { listeners: true });
  if (problems.length > 0) throw bad(`Validation failed: ${problemList(problems)}`, 'Proxy');
}

/** An IP address is also listed under its family's names, as Consul does. */
function taggedAddresses(
  input: AgentServiceInput,
  address: string,
  port: number,
): { TaggedAddresses?: Record<string, ServiceAddress> } {
  const given = Object.entries(input.TaggedAddresses ?? {}).map(
    ([name, one]) => [name, { Address: one.Address ?? '', Port: one.Port ?? 0 }] as const,
  );
  const tagged: Record<string, ServiceAddress> = Object.fromEntries(given);
  const version = isIP(address);
  if (version !== 0) {
    tagged[`lan_ipv${version}`] ??= { Address: address, Port: port };
    tagged[`wan_ipv${version}`] ??= { Address: address, Port: port };
  }
  return Object.keys(tagged).length > 0 ? { TaggedAddresses: tagged } : {};
}

function bad(text: string, field: string): AppError {
  return new AppError('badRequest', text, { facts: { field } });
}
