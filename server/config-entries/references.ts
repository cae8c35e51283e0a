import type {
  ConfigEntry,
  ConfigKind,
  ServiceResolver,
  ServiceRouter,
  ServiceSplitter,
} from '../../api/shapes/config-entry/entry.ts';

/** The kinds of a service that its discovery chain is made from. */
export function isChainKind(kind: ConfigKind): boolean {
  return kind === 'service-defaults' || isRoutingKind(kind);
}

/** The kinds that say where requests to a service go. */
export function isRoutingKind(kind: ConfigKind): boolean {
  return kind === 'service-router' || kind === 'service-splitter' || kind === 'service-resolver';
}

/** Other services to which an entry leads, in lower case. */
export function servicesOf(entry: ConfigEntry): Set<string> {
  const own = entry.Name.toLowerCase();
  const names = named(entry).map((name) => name?.toLowerCase());
  return new Set(names.filter((name) => name !== undefined && name !== own) as string[]);
}

function named(entry: ConfigEntry): (string | undefined)[] {
  switch (entry.Kind) {
    case 'service-router':
      return (entry as ServiceRouter).Routes?.map((route) => route.Destination?.Service) ?? [];
    case 'service-splitter':
      return (entry as ServiceSplitter).Splits?.map((split) => split.Service) ?? [];
    case 'service-resolver': {
      const { Redirect: redirect, Failover: failovers = {} } = entry as ServiceResolver;
      const targets = Object.values(failovers).flatMap(({ Service, Targets = [] }) => [{ Service }, ...Targets]);
      return [redirect, ...targets].map((target) =>
        target && !('Peer' in target && target.Peer) ? target.Service : undefined,
      );
    }
    default:
      return [];
  }
}
