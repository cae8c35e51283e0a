import { isIP, isIPv4, isIPv6, SocketAddress } from 'node:net';

/**
 * An IP address in the one spelling that equal addresses share (RFC 5952; an IPv4 address in IPv6 clothes is IPv4);
 * undefined when the text is none.
 */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1] ?? address;
}

/** Whether this stands for all addresses of a machine: nobody can be reached there. */
export function isAnyAddress(address: string): boolean {
  return address === '0.0.0.0' || (isIP(address) === 6 && /^[0:]+$/.test(address));
}
