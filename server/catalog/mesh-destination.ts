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
