import { ORIGIN } from '../../api/shapes/coordinate.ts';
import { CATALOG_RANGE, FIRST_GENERATION, generationPrefix } from '../../server/catalog/keys.ts';
import type { Store } from '../../store/store.ts';
import { eventually } from './eventually.ts';
import { API, jsonOf, type RunningServer } from './running-server.ts';

const PREFIX = generationPrefix(FIRST_GENERATION);
const AGENT = 'aaaaaaaa-0000-4000-8000-000000000001';

const CONFIG_ENTRIES: readonly object[] = [
  { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' }, MeshGateway: { Mode: 'local' } },
  { Kind: 'service-defaults', Name: 'web', Protocol: 'http', MaxInboundConnections: 5 },
  { Kind: 'service-resolver', Name: 'web', Subsets: { v1: { Filter: 'Service.Meta.v == "1"' } }, DefaultSubset: 'v1' },
  { Kind: 'service-splitter', Name: 'web', Splits: [{ Weight: 100, ServiceSubset: 'v1' }] },
  {
    Kind: 'service-router',
    Name: 'web',
    Routes: [{ Match: { HTTP: { PathPrefix: '/a' } }, Destination: { Service: 'web' } }],
  },
  {
    Kind: 'service-intentions',
    Name: 'web',
    Sources: [
      { Name: 'api', Action: 'allow' },
      { Name: '*', Action: 'deny' },
    ],
  },
  { Kind: 'terminating-gateway', Name: 'out', Services: [{ Name: 'web' }] },
  { Kind: 'ingress-gateway', Name: 'in', Listeners: [{ Port: 80, Protocol: 'http', Services: [{ Name: 'web' }] }] },
  { Kind: 'api-gateway', Name: 'gate', Listeners: [{ Name: 'l', Port: 81, Protocol: 'http' }] },
  {
    Kind: 'http-route',
    Name: 'route',
    Parents: [{ Kind: 'api-gateway', Name: 'gate' }],
    Rules: [{ Services: [{ Name: 'web' }] }],
  },
  { Kind: 'mesh', TransparentProxy: { MeshDestinationsOnly: true } },
  { Kind: 'exported-services', Name: 'default', Services: [{ Name: 'web', Consumers: [{ Peer: 'p' }] }] },
  {
    Kind: 'jwt-provider',
    Name: 'okta',
    Issuer: 'me',
    JSONWebKeySet: { Remote: { URI: 'https://x.example', FetchAsynchronously: true } },
  },
];

/** What was made that has an id of its own. */
export interface FullCatalog {
  readonly session: string;
  readonly plain: string;
  readonly template: string;
}

/** Gives a server at least one entry of each kind of key that it can store, beside the canaries `canary`. */
export async function fillCatalog(server: RunningServer): Promise<FullCatalog> {
  const call = async (method: string, url: string, body?: unknown) => {
    const answer = await server.call(method, url, { body });
    if ((answer.status ?? 200) >= 300) throw new Error(`${method} ${url}: ${answer.text}`);
    return (answer.bytes?.byteLength === 0 ? {} : jsonOf(answer)) as { ID: string };
  };
  await server.register({ Node: 'other', Address: '10.0.0.9', Service: { ID: 'canary', Service: 'canary', Port: 1 } });
  await server.register({
    Node: 'n1',
    ID: AGENT,
    Address: '10.0.0.1',
    NodeMeta: { rack: '7' },
    Service: { ID: 'web-1', Service: 'web', Tags: ['v1'], Meta: { v: '1' }, Port: 80 },
    Checks: [
      {
        CheckID: 'up',
        Name: 'up',
        ServiceID: 'web-1',
        Status: 'passing',
        Definition: { HTTP: 'http://x', Interval: '10s' },
      },
    ],
  });
  await server.composed.serverCatalog.register(
    { Node: 'n1', SkipNodeUpdate: true, Check: { CheckID: 'up', ServiceID: 'web-1', Name: 'up', Status: 'warning' } },
    API,
  );
  const proxy = {
    Proxy: { DestinationServiceName: 'web', Upstreams: [{ DestinationName: 'db', LocalBindPort: 5000 }] },
  };
  await server.register({
    Node: 'n1',
    SkipNodeUpdate: true,
    Service: { ID: 'web-proxy', Service: 'web-proxy', Kind: 'connect-proxy', Port: 21000, ...proxy },
  });
  await server.register(
    { Node: 'n2', Address: '10.0.0.2', Service: { ID: 'owned', Service: 'owned' } },
    { owner: 'operator/k8s', epoch: 3 },
  );
  await call('PUT', '/v1/kv/canary', 'x');
  await call('PUT', '/v1/kv/dir/a', 'value');
  const { ID: session } = await call('PUT', '/v1/session/create', {
    Node: 'n1',
    NodeChecks: [],
    TTL: '600s',
    LockDelay: '60s',
  });
  await call('PUT', `/v1/kv/locked?acquire=${session}`, 'mine');
  const { ID: ended } = await call('PUT', '/v1/session/create', { Node: 'n1', NodeChecks: [], LockDelay: '60s' });
  await call('PUT', `/v1/kv/delayed?acquire=${ended}`, 'x');
  await call('PUT', `/v1/session/destroy/${ended}`);
  const { ID: plain } = await call('POST', '/v1/query', { Name: 'plain', Service: { Service: 'web', Tags: ['v1'] } });
  const Template = { Type: 'name_prefix_match', Regexp: '^tpl-(.*)$' };
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the template's own syntax
  const Service = { Service: '${match(1)}' };
  const { ID: template } = await call('POST', '/v1/query', { Name: 'tpl-', Template, Service });
  for (const entry of CONFIG_ENTRIES) await call('PUT', '/v1/config', entry);
  await call('PUT', '/v1/namespace', { Name: 'team', Description: 'd', Meta: { a: 'b' } });
  await call('PUT', '/v1/operator/autopilot/configuration', { CleanupDeadServers: false, MinQuorum: 3 });
  await call('PUT', '/v1/internal/service-virtual-ip', { Service: 'web', ManualVIPs: ['240.9.9.9'] });
  const Coord = { ...ORIGIN, Vec: [0.1, 0, 0, 0, 0, 0, 0, 0] };
  await call('PUT', '/v1/coordinate/update', { Node: 'n1', Coord });
  const has = async (part: string) => (await storedEntries(server.store)).some(({ rest }) => rest.startsWith(part));
  for (const part of ['connect-ca/state', 'coordinate/n1'])
    await eventually(() => has(part), { withinMs: 20_000, everyMs: 5 });
  return { session, plain, template };
}

/** What lies in the first generation, by what follows that in its keys. */
export async function storedEntries(store: Store): Promise<{ rest: string; value: Buffer }[]> {
  const { entries } = await store.read(CATALOG_RANGE);
  return entries
    .filter(({ key }) => key.startsWith(PREFIX))
    .map(({ key, value }) => ({ rest: key.slice(PREFIX.length), value: Buffer.from(value) }));
}

/** What lies under one of these keys. */
export async function entryAt(store: Store, rest: string): Promise<Buffer | undefined> {
  return (await storedEntries(store)).find((entry) => entry.rest === rest)?.value;
}

/** Puts bytes there that no server has made. */
export async function putRaw(store: Store, entries: readonly { rest: string; value: Uint8Array }[]): Promise<void> {
  const ops = entries.map(({ rest, value }) => ({ kind: 'put' as const, key: PREFIX + rest, value }));
  await store.commit({ compares: [], ops });
}
