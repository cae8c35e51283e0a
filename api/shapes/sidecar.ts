import { AppError } from '../../core/errors.ts';
import { ANY, decodeBody, INT, object, STRING } from '../decode.ts';
import { type CheckPolicy, NO_SCRIPTS } from './agent-check.ts';
import { decodeAgentBody } from './agent-decode.ts';
import { AGENT_SERVICE, type AgentService, type AgentServiceInput, normalizeAgentService } from './agent-service.ts';
import { meshProblems, problemList } from './mesh-rules.ts';
import { checkNameLength } from './name-limit.ts';
import { connectFields, proxyFields } from './proxy-fields.ts';

/** The sidecar proxy that a service definition asks for; its port may still have to be found. */
export interface SidecarRequest {
  readonly input: AgentServiceInput;
  readonly parentId: string;
}

const PROXY = object({
  DestinationServiceName: STRING,
  DestinationServiceID: STRING,
  LocalServiceAddress: STRING,
  LocalServicePort: INT,
  LocalServiceSocketPath: STRING,
  Mode: STRING,
  Config: ANY,
  Upstreams: ANY,
  MeshGateway: ANY,
  Expose: ANY,
  TransparentProxy: ANY,
  EnvoyExtensions: ANY,
  AccessLogs: ANY,
});

/**
 * Reads `Connect.SidecarService` with Consul's defaults (Consul documentation, "Register a service mesh proxy outside of
 * Kubernetes"). @throws AppError `badRequest` naming the field.
 */
export function sidecarRequest(parent: AgentServiceInput & { ID: string; Name: string }): SidecarRequest | undefined {
  const given = parent.Connect?.SidecarService;
  if (given === undefined || given === null) return undefined;
  const input = reread(AGENT_SERVICE, given) as AgentServiceInput;
  if (input.ID) throw bad("the ID of a sidecar is derived from its service's and cannot be given", 'ID');
  if (connectFields(input.Connect ?? {}).SidecarService) {
    throw bad('a sidecar cannot have a sidecar itself', 'Connect');
  }
  const proxy = reread(PROXY, input.Proxy ?? {});
  const local = parent.SocketPath
    ? { LocalServiceSocketPath: parent.SocketPath }
    : { LocalServiceAddress: '127.0.0.1', ...(parent.Port ? { LocalServicePort: parent.Port } : {}) };
  const sidecar: SidecarRequest['input'] = {
    ...input,
    Kind: 'connect-proxy',
    ID: `${parent.ID}-sidecar-proxy`,
    Name: input.Name || `${parent.Name}-sidecar-proxy`,
    Tags: input.Tags ?? parent.Tags ?? [],
    Meta: input.Meta ?? parent.Meta ?? {},
    EnableTagOverride: input.EnableTagOverride ?? parent.EnableTagOverride ?? false,
    Proxy: {
      DestinationServiceName: parent.Name,
      DestinationServiceID: parent.ID,
      ...local,
      MeshGateway: {},
      Expose: {},
      ...proxy,
    },
  };
  checkSidecar(sidecar);
  return { parentId: parent.ID, input: sidecar };
}

/** What can be said before its port is known. */
function checkSidecar(sidecar: AgentServiceInput): void {
  checkNameLength(sidecar.Name!, 'Connect.SidecarService.Name');
  checkNameLength(sidecar.ID!, 'Connect.SidecarService.ID');
  const known = { ...sidecar, Port: sidecar.Port || 1, Proxy: proxyFields(sidecar.Proxy!) };
  const problems = meshProblems(known, { listeners: true });
  if (problems.length > 0) throw bad(problemList(problems), 'Proxy');
}

/**
 * The sidecar as a service of its own. Without checks of its own it has one on its port and one that stands for its
 * service. @throws AppError `badRequest`.
 */
export function sidecarService(sidecar: SidecarRequest, port: number, policy: CheckPolicy = NO_SCRIPTS): AgentService {
  const { input, parentId } = sidecar;
  const own = input.Check !== undefined || (input.Checks?.length ?? 0) > 0;
  const host = input.Address || '127.0.0.1';
  const checks = own
    ? {}
    : {
        Checks: [
          { Name: 'Connect Sidecar Listening', TCP: `${bracketed(host)}:${port}`, Interval: '10s' },
          { Name: `Connect Sidecar Aliasing ${parentId}`, AliasService: parentId },
        ],
      };
  return normalizeAgentService({ ...input, ...checks, Port: port }, policy);
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

function reread(schema: Parameters<typeof decodeBody>[0], value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad('must be an object', 'Connect');
  return decodeAgentBody(() => decodeBody(schema, Buffer.from(JSON.stringify(value)))) as Record<string, unknown>;
}

function bad(text: string, field: string): AppError {
  return new AppError('badRequest', `Invalid Connect.SidecarService: ${field}: ${text}`, { facts: { field } });
}
