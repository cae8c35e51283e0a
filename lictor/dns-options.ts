import type { AgentConfig } from '../agent/config.ts';
import type { DnsOptions } from '../dns/dns-options.ts';

/** The DNS server's options from the agent's configuration. */
export function dnsOptions(config: AgentConfig): DnsOptions {
  const { dns } = config;
  const seconds = (ms: number) => Math.floor(ms / 1_000);
  return {
    hosts: config.addresses.dns,
    port: config.ports.dns,
    datacenter: config.datacenter,
    domain: dns.domain,
    altDomain: dns.altDomain,
    nodeTtlSeconds: seconds(dns.nodeTtlMs),
    serviceTtlSeconds: Object.fromEntries(Object.entries(dns.serviceTtlMs).map(([name, ms]) => [name, seconds(ms)])),
    onlyPassing: dns.onlyPassing,
    udpAnswerLimit: dns.udpAnswerLimit,
    aRecordLimit: dns.aRecordLimit,
    nodeMetaTxt: dns.nodeMetaTxt,
    compress: !dns.disableCompression,
    // Set by size in any case; Consul's key asks for it also when the answer limit cut.
    truncateBit: dns.enableTruncate ? 'any' : 'size',
    soa: dns.soa,
    recursors: dns.recursors,
    recursorStrategy: dns.recursorStrategy,
    recursorTimeoutMs: dns.recursorTimeoutMs,
  };
}
