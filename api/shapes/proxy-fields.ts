/**
 * Names of the fields of an object and of the objects in it. `true` stands for any value, which is left as it is (the
 * opaque `Config` of proxies and upstreams has keys of its own).
 */
interface FieldNames {
  readonly [name: string]: FieldNames | true;
}

const MESH_GATEWAY: FieldNames = { Mode: true };

/** Consul documentation, "Service configuration reference", `proxy`. */
const PROXY: FieldNames = {
  DestinationServiceName: true,
  DestinationServiceID: true,
  LocalServiceAddress: true,
  LocalServicePort: true,
  LocalServiceSocketPath: true,
  Mode: true,
  MutualTLSMode: true,
  Config: true,
  Upstreams: {
    DestinationType: true,
    DestinationNamespace: true,
    DestinationPartition: true,
    DestinationPeer: true,
    DestinationName: true,
    Datacenter: true,
    LocalBindAddress: true,
    LocalBindPort: true,
    LocalBindSocketPath: true,
    LocalBindSocketMode: true,
    Config: true,
    MeshGateway: MESH_GATEWAY,
    CentrallyConfigured: true,
  },
  MeshGateway: MESH_GATEWAY,
  Expose: {
    Checks: true,
    Paths: { Path: true, LocalPathPort: true, ListenerPort: true, Protocol: true, ParsedFromCheck: true },
  },
  TransparentProxy: { OutboundListenerPort: true, DialedDirectly: true },
  EnvoyExtensions: { Name: true, Required: true, Arguments: true, ConsulVersion: true, EnvoyVersion: true },
  AccessLogs: {
    Enabled: true,
    DisableListenerLogs: true,
    Type: true,
    Path: true,
    JSONFormat: true,
    TextFormat: true,
  },
};

/** `sidecar_service` is a definition of its own, which is read as one. */
const CONNECT: FieldNames = { Native: true, SidecarService: true };

/** A `Proxy` block with Consul's spelling of its fields, however case and underscores were given. */
export function proxyFields(proxy: Record<string, unknown>): Record<string, unknown> {
  return renamed(proxy, PROXY) as Record<string, unknown>;
}

/** A `Connect` block, likewise. */
export function connectFields(connect: Record<string, unknown>): Record<string, unknown> {
  return renamed(connect, CONNECT) as Record<string, unknown>;
}

/** Lists are objects each. What has no name here, or another form, stays. The exact spelling wins over another one. */
function renamed(value: unknown, names: FieldNames): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, names));
  if (typeof value !== 'object' || value === null) return value;
  const out: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    const name = nameOf(key, names);
    const inner = Object.hasOwn(names, name) ? names[name]! : true;
    if (name !== key && Object.hasOwn(value, name)) continue;
    out[name] = inner === true ? item : renamed(item, inner);
  }
  return out;
}

/** The name that a key stands for; the key itself when there is none. */
function nameOf(key: string, names: FieldNames): string {
  if (Object.hasOwn(names, key)) return key;
  const folded = fold(key);
  return Object.keys(names).find((name) => fold(name) === folded) ?? key;
}

function fold(name: string): string {
  return name.toLowerCase().replaceAll('_', '');
}
