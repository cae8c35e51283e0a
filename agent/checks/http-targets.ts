import { type LookupAddress, lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/**
 * Where machines in clouds read their own credentials (documentation of AWS, Azure, Google Cloud, Alibaba Cloud, Oracle
 * Cloud). No service has its health there, and a check's output is shown to everybody who reads the catalog. Other
 * link-local addresses are not refused: resolvers of nodes listen on them.
 */
const METADATA = new BlockList();
for (const address of ['169.254.169.254', '169.254.170.2', '169.254.170.23', '100.100.100.200', '192.0.0.192']) {
  METADATA.addAddress(address, 'ipv4');
}
for (const address of ['fd00:ec2::254', 'fd00:ec2::23', 'fd20:ce::254']) METADATA.addAddress(address, 'ipv6');

/** What a check's output says about an address that is not asked. */
const REFUSED = 'is where a machine reads its credentials; checks do not ask there';

/** Why a host is not asked; undefined for others, and for names, which `guardedLookup` looks at. */
export function refusedHost(host: string): string | undefined {
  return isIP(host) !== 0 && isMetadata(host) ? `${host} ${REFUSED}` : undefined;
}

/** The system's resolver, but for names that lead to an address that is not asked: whatever a name meant before. */
export const guardedLookup: LookupFunction = (name, options, callback) => {
  lookup(name, options, (error, found: string | LookupAddress[], family) => {
    const addresses = typeof found === 'string' ? [found] : (found ?? []).map(({ address }) => address);
    const refused = error ? undefined : addresses.find(isMetadata);
    if (refused === undefined) callback(error, found, family);
    else callback(new Error(`${name} is ${refused}, which ${REFUSED}`), found, family);
  });
};

/**
 * Whether a redirect leads to the same listener, or from HTTP to HTTPS of the same host on their own ports. Others are not
 * followed: whoever answers a check could else make the agent ask any address that it reaches (as in CVE-2022-29153).
 */
export function mayFollow(from: URL, to: URL): boolean {
  if (from.hostname !== to.hostname) return false;
  const upgrade = from.protocol === 'http:' && to.protocol === 'https:' && from.port === '' && to.port === '';
  return upgrade || (from.protocol === to.protocol && from.port === to.port);
}

function isMetadata(address: string): boolean {
  return METADATA.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}
