import type {
  ConfigEntry,
  ConfigKind,
  IngressGateway,
  JwtRequirement,
  Mesh,
  ServiceIntentions,
} from '../../api/shapes/config-entry/entry.ts';
import { refuse } from '../../api/shapes/config-entry/kind-spec.ts';
import { ChainEntries, type EntryLookup, isHttp } from '../discovery-chain/chain-entries.ts';
import { compileChain } from '../discovery-chain/compile-chain.ts';
import type { ConfigTable } from './config-table.ts';
import { isChainKind, isRoutingKind } from './references.ts';

/** What an entry is to become: another, or nothing. */
export interface Change {
  readonly kind: ConfigKind;
  readonly name: string;
  readonly after: ConfigEntry | undefined;
}

/** The kinds that rules of other entries look at. */
export function isInGraph(kind: ConfigKind): boolean {
  return isChainKind(kind) || ['proxy-defaults', 'mesh', 'ingress-gateway', 'jwt-provider'].includes(kind);
}

/**
 * The rules that entries obey together, after a change: chains that fit, protocols that can do what is asked of them,
 * references that lead somewhere.
 * @throws AppError `badRequest` with Consul's text.
 */
export function checkGraph(change: Change, table: ConfigTable, datacenter: string): void {
  const lookup = withChange(table, change);
  const entries = new ChainEntries(lookup);
  checkPermissive(change, lookup);
  const services = affectedServices(change, table);
  for (const service of services) {
    // A service is shown as its entry writes it.
    const written = change.after && isChainKind(change.kind) && service === change.name.toLowerCase();
    compileChain({ service: written ? change.name : service, datacenter, trustDomain: '' }, entries);
    checkIntentions(lookup.get('service-intentions', service) as ServiceIntentions | undefined, lookup, entries);
  }
  if (change.kind === 'service-intentions') checkIntentions(change.after as ServiceIntentions, lookup, entries);
  const gateways = change.kind === 'ingress-gateway' ? [change.after] : gatewaysOf(table);
  if (services.size > 0 || change.kind === 'ingress-gateway') {
    for (const gateway of gateways) checkIngress(gateway as IngressGateway | undefined, entries, services);
  }
  if (change.kind === 'jwt-provider' && !change.after) checkUnused(change.name, table);
}

function withChange(table: ConfigTable, { kind, name, after }: Change): EntryLookup {
  const lower = name.toLowerCase();
  return {
    get: (otherKind, other) =>
      otherKind === kind && other.toLowerCase() === lower ? after : table.get(otherKind, other),
  };
}

/** Whose chains a change may break: those that lead to the service, or, of what all proxies share, all. */
function affectedServices({ kind, name, after }: Change, table: ConfigTable): Set<string> {
  if (isChainKind(kind)) return table.affectedBy(name);
  if (kind !== 'proxy-defaults') return new Set();
  if (protocolOf(after) === protocolOf(table.get('proxy-defaults', name))) return new Set();
  const kinds = ['service-router', 'service-splitter', 'service-resolver', 'service-intentions'] as const;
  const named = kinds.flatMap((one) => table.list(one).map(({ stored }) => stored.record.Name.toLowerCase()));
  return new Set([...named, ...gatewaysOf(table).flatMap(servicesBehind)].filter((service) => service !== '*'));
}

function protocolOf(entry: ConfigEntry | undefined): unknown {
  return (entry as { Config?: { protocol?: unknown } } | undefined)?.Config?.protocol ?? '';
}

function gatewaysOf(table: ConfigTable): IngressGateway[] {
  return table.list('ingress-gateway').map(({ stored }) => stored.record as IngressGateway);
}

function servicesBehind(gateway: IngressGateway): string[] {
  return (gateway.Listeners ?? []).flatMap(({ Services = [] }) => Services.map(({ Name = '' }) => Name.toLowerCase()));
}

function checkIntentions(entry: ServiceIntentions | undefined, lookup: EntryLookup, entries: ChainEntries): void {
  if (!entry) return;
  const permissions = entry.Sources.flatMap((source) => source.Permissions ?? []);
  for (const jwt of [entry.JWT, ...permissions.map((permission) => permission.JWT)]) checkProviders(jwt, lookup);
  // Which services a wildcard stands for is not known before requests come.
  if (permissions.length === 0 || entry.Name === '*') return;
  const protocol = entries.protocol(entry.Name);
  if (isHttp(protocol)) return;
  refuse(
    `service ${JSON.stringify(entry.Name)} has protocol ${JSON.stringify(protocol)}, which is incompatible with L7 intentions permissions`,
  );
}

function checkProviders(jwt: JwtRequirement | undefined, lookup: EntryLookup): void {
  for (const { Name: name = '' } of jwt?.Providers ?? []) {
    if (!lookup.get('jwt-provider', name)) refuse(`referenced JWT provider does not exist. Provider Name: ${name}`);
  }
}

function checkUnused(provider: string, table: ConfigTable): void {
  for (const { stored } of table.list('service-intentions')) {
    const { Name: name, JWT: jwt, Sources: sources } = stored.record as ServiceIntentions;
    const all = [jwt, ...sources.flatMap((source) => source.Permissions?.map((permission) => permission.JWT) ?? [])];
    if (all.some((one) => one?.Providers?.some((used) => used.Name === provider))) {
      refuse(`cannot delete jwt provider "${provider}": the intentions of service "${name}" refer to it`);
    }
  }
}

function checkIngress(gateway: IngressGateway | undefined, entries: ChainEntries, services: ReadonlySet<string>): void {
  for (const { Protocol: wanted = 'tcp', Services = [] } of gateway?.Listeners ?? []) {
    for (const { Name: service = '' } of Services) {
      if (service === '*' || (services.size > 0 && !services.has(service.toLowerCase()))) continue;
      const protocol = entries.protocol(service);
      if (protocol === wanted) continue;
      refuse(
        `service ${JSON.stringify(service)} has protocol ${JSON.stringify(protocol)}, which is incompatible with listener protocol ${JSON.stringify(wanted)} of ingress gateway ${JSON.stringify(gateway!.Name)}`,
      );
    }
  }
}

function checkPermissive({ kind, after }: Change, lookup: EntryLookup): void {
  if (kind !== 'service-defaults' && kind !== 'proxy-defaults') return;
  if ((after as { MutualTLSMode?: string } | undefined)?.MutualTLSMode !== 'permissive') return;
  const mesh = lookup.get('mesh', 'mesh') as (Mesh & { AllowEnablingPermissiveMutualTLS?: boolean }) | undefined;
  if (mesh?.AllowEnablingPermissiveMutualTLS) return;
  refuse('cannot set MutualTLSMode=permissive because AllowEnablingPermissiveMutualTLS=false in the mesh config entry');
}

/** Whether the service of an entry gets an address of its own, for those who dial it by name. */
export function givesAddress(entry: ConfigEntry): boolean {
  return isRoutingKind(entry.Kind) || (entry.Kind === 'service-defaults' && 'Destination' in entry);
}
