import { isObject } from './record-shape.ts';
import type { InstanceContent } from './records.ts';

/** `namespace/service` in lower case of the service whose mesh endpoint an instance is; undefined when it is none. */
export function meshDestination(
  namespace: string,
  { Kind, Proxy: proxy, Connect, Service }: Pick<InstanceContent, 'Kind' | 'Proxy' | 'Connect' | 'Service'>,
): string | undefined {
  const proxied = Kind === 'connect-proxy' ? proxy?.DestinationServiceName : undefined;
  if (typeof proxied === 'string' && proxied !== '') return `${namespace}/${proxied.toLowerCase()}`;
  return Connect?.Native === true ? `${namespace}/${Service.toLowerCase()}` : undefined;
}

/** What a proxy is told to connect to. */
export interface Upstream {
  readonly DestinationType?: string;
  readonly DestinationName?: string;
  readonly DestinationPeer?: string;
  readonly Datacenter?: string;
}

/** The services of this cluster that a proxy is told to connect to, as it spells them. What is no upstream at all is left out. */
export function upstreamServices(proxy: InstanceContent['Proxy']): string[] {
  const { Upstreams: upstreams } = proxy ?? {};
  if (!Array.isArray(upstreams)) return [];
  const services = upstreams
    .filter(isObject)
    .filter(
      ({ DestinationType: type = '', DestinationPeer: peer = '' }: Upstream) => type !== 'prepared_query' && !peer,
    )
    .map(({ DestinationName: name }: Upstream) => name);
  return [...new Set(services.filter((name) => typeof name === 'string' && name !== '') as string[])];
}

/** The same as `namespace/service` in lower case. */
export function meshUpstreams(
  namespace: string,
  { Kind, Proxy: proxy }: Pick<InstanceContent, 'Kind' | 'Proxy'>,
): string[] {
  if (Kind !== 'connect-proxy') return [];
  return upstreamServices(proxy).map((name) => `${namespace}/${name.toLowerCase()}`);
}
