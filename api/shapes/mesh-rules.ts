/** What the rules look at of a service; `Proxy` and `Connect` with Consul's spelling of their fields, else as they were given. */
export interface MeshService {
  readonly Kind?: string | undefined;
  readonly Port?: number | undefined;
  readonly SocketPath?: string | undefined;
  readonly Proxy?: object | null | undefined;
  readonly Connect?: object | null | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

/** Gateways that are reached on a port of their own; an ingress or API gateway has those of its listeners. */
const WITH_PORT: readonly string[] = ['mesh-gateway', 'terminating-gateway'];
const GATEWAYS: readonly string[] = [...WITH_PORT, 'ingress-gateway', 'api-gateway'];
/** What only a proxy that stands beside an instance has. */
const OF_SIDECARS = [
  'DestinationServiceName',
  'DestinationServiceID',
  'LocalServiceAddress',
  'LocalServicePort',
] as const;

/**
 * What is wrong with a proxy or gateway, one line each; none for other services and unknown kinds (Consul's rules). With
 * `listeners` an upstream has to say where it listens.
 */
export function meshProblems(service: MeshService, { listeners }: { readonly listeners: boolean }): string[] {
  const { Kind: kind = '' } = service;
  const proxy: Fields = { ...service.Proxy };
  if (kind === 'connect-proxy') return [...proxyProblems(service, proxy), ...upstreamProblems(proxy, listeners)];
  return GATEWAYS.includes(kind) ? gatewayProblems(service, kind, proxy) : [];
}

/** Several problems in Consul's form. */
export function problemList(problems: readonly string[]): string {
  const count = `${problems.length} error${problems.length > 1 ? 's' : ''} occurred:`;
  return `${count}\n${problems.map((one) => `\t* ${one}`).join('\n')}\n\n`;
}

function proxyProblems(service: MeshService, proxy: Fields): string[] {
  const problems: string[] = [];
  if (!service.Port && !service.SocketPath) problems.push('Port or SocketPath must be set for a connect-proxy');
  if (!proxy.DestinationServiceName) {
    problems.push('Proxy.DestinationServiceName must be non-empty for Connect proxy services');
  } else if (proxy.DestinationServiceName === '*') {
    problems.push("Proxy.DestinationServiceName must not be '*' for Connect proxy services");
  }
  if (isNative(service)) problems.push('Connect.Native must not be set for a connect-proxy');
  return problems;
}

function gatewayProblems(service: MeshService, kind: string, proxy: Fields): string[] {
  const problems: string[] = [];
  if (!service.Port && WITH_PORT.includes(kind)) problems.push(`Port must be non-zero for a ${kind}`);
  if (isNative(service)) problems.push(`Connect.Native must not be set for a ${kind}`);
  for (const field of OF_SIDECARS) if (proxy[field]) problems.push(`Proxy.${field} must not be set for a ${kind}`);
  if (upstreamsOf(proxy).length > 0) problems.push(`Proxy.Upstreams must not be set for a ${kind}`);
  return problems;
}

function upstreamProblems(proxy: Fields, needed: boolean): string[] {
  const problems: string[] = [];
  const destinations = new Set<string>();
  const listeners = new Set<string>();
  // Where traffic is sent to an upstream by its address, it needs no listener.
  const transparent = proxy.Mode === 'transparent';
  for (const { at, upstream } of upstreamsOf(proxy)) {
    const field = `Proxy.Upstreams[${at}]`;
    if (!upstream.DestinationName) problems.push(`${field}: upstream destination name cannot be empty`);
    const destination = destinationOf(upstream);
    if (destinations.has(destination)) problems.push(`${field}: the destination is that of another upstream`);
    destinations.add(destination);
    const listener = listenerOf(upstream);
    if (listener === undefined) {
      const missing = needed && !transparent && !upstream.CentrallyConfigured;
      if (missing) problems.push(`${field}: LocalBindPort or LocalBindSocketPath must be set`);
    } else if (listeners.has(listener)) problems.push(`${field}: ${listener} is that of another upstream`);
    else listeners.add(listener);
  }
  return problems;
}

/** What is no object is left to whoever reads it. */
function upstreamsOf({ Upstreams: upstreams }: Fields): { at: number; upstream: Fields }[] {
  if (!Array.isArray(upstreams)) return [];
  const all = upstreams.map((upstream: unknown, at) => ({ at, upstream: upstream as Fields }));
  return all.filter(({ upstream }) => typeof upstream === 'object' && upstream !== null && !Array.isArray(upstream));
}

/** As it is written: names that differ in case alone are told apart, as in Consul. */
function destinationOf(upstream: Fields): string {
  const { DestinationType, DestinationNamespace, DestinationPeer, DestinationName, Datacenter } = upstream;
  const type = DestinationType || 'service';
  const namespace = DestinationNamespace || 'default';
  return JSON.stringify([type, namespace, DestinationPeer || '', DestinationName || '', Datacenter || '']);
}

/** Where its own instance reaches it; undefined where it does not say. */
function listenerOf({ LocalBindAddress, LocalBindPort, LocalBindSocketPath }: Fields): string | undefined {
  if (LocalBindSocketPath) return `LocalBindSocketPath ${String(LocalBindSocketPath)}`;
  return LocalBindPort
    ? `LocalBindPort ${String(LocalBindAddress || '127.0.0.1')}:${String(LocalBindPort)}`
    : undefined;
}

function isNative({ Connect }: MeshService): boolean {
  return Boolean((Connect as Fields | null | undefined)?.Native);
}
