import type {
  ConfigEntry,
  ConfigKind,
  ProxyDefaults,
  ServiceDefaults,
  ServiceResolver,
  ServiceRouter,
  ServiceSplitter,
} from '../../api/shapes/config-entry/entry.ts';

/** Configuration entries by kind and name, without regard to case. */
export interface EntryLookup {
  get(kind: ConfigKind, name: string): ConfigEntry | undefined;
}

const DEFAULT_PROTOCOL = 'tcp';

/** What a chain is compiled from. */
export class ChainEntries {
  readonly #lookup: EntryLookup;

  constructor(lookup: EntryLookup) {
    this.#lookup = lookup;
  }

  router(service: string): ServiceRouter | undefined {
    return this.#lookup.get('service-router', service) as ServiceRouter | undefined;
  }

  splitter(service: string): ServiceSplitter | undefined {
    return this.#lookup.get('service-splitter', service) as ServiceSplitter | undefined;
  }

  resolver(service: string): ServiceResolver | undefined {
    return this.#lookup.get('service-resolver', service) as ServiceResolver | undefined;
  }

  defaults(service: string): ServiceDefaults | undefined {
    return this.#lookup.get('service-defaults', service) as ServiceDefaults | undefined;
  }

  get proxyDefaults(): ProxyDefaults | undefined {
    return this.#lookup.get('proxy-defaults', 'global') as ProxyDefaults | undefined;
  }

  /** The service's own protocol, else that of all proxies, else tcp. */
  protocol(service: string): string {
    const own = this.defaults(service)?.Protocol;
    if (own) return own;
    const { protocol } = this.proxyDefaults?.Config ?? {};
    return typeof protocol === 'string' && protocol !== '' ? protocol : DEFAULT_PROTOCOL;
  }
}

/** Whether requests can be told apart: what routes, splits and permissions need. */
export function isHttp(protocol: string): boolean {
  return protocol === 'http' || protocol === 'http2' || protocol === 'grpc';
}
