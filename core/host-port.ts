import { isIPv6 } from 'node:net';

/** A host as it stands before a port and in URLs: an IPv6 address in brackets (RFC 3986 section 3.2.2). */
export function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

/** `host:port`, with an IPv6 address in brackets. */
export function hostPort(host: string, port: number): string {
  return `${urlHost(host)}:${port}`;
}
