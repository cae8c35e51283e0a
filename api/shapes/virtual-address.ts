import { isIP } from 'node:net';
import { AppError } from '../../core/errors.ts';
import { canonicalAddress } from '../../core/ip-address.ts';
import { decodeBody, list, object, STRING } from '../decode.ts';

/** Addresses by which a service is dialed, beside the one that it is given. */
export interface ManualAddresses {
  readonly service: string;
  /** Each once, in its shortest spelling. */
  readonly addresses: readonly string[];
}

/** Addresses of a service at most (Consul's limit). */
const MAX_ADDRESSES = 8;
export const MANUAL_ADDRESSES = object({ Service: STRING, ManualVIPs: list(STRING) }, [
  'Namespace',
  'Partition',
  'Datacenter',
  'Token',
]);

/** What came of it, as clients see it: both of the first fields say whether the service is in the mesh. */
export interface AssignedAddresses {
  readonly Found: boolean;
  readonly ServiceFound: boolean;
  /** Who had one of the addresses before. */
  readonly UnassignedFrom: readonly { readonly ServiceName: { readonly Name: string }; readonly Peer: string }[];
}

/** @throws AppError `badRequest`. */
export function decodeManualAddresses(body: Buffer): ManualAddresses {
  const { Service = '', ManualVIPs = [] } =
    (decodeBody(MANUAL_ADDRESSES, body) as { Service?: string; ManualVIPs?: string[] } | undefined) ?? {};
  if (Service === '') throw bad('Missing service name', 'Service');
  for (const address of ManualVIPs) {
    if (isIP(address) === 0) throw bad(`${JSON.stringify(address)} is not a valid IP address`, 'ManualVIPs');
  }
  const addresses = [...new Set(ManualVIPs.map((address) => canonicalAddress(address) ?? address))];
  if (addresses.length > MAX_ADDRESSES) {
    throw bad(`cannot associate more than ${MAX_ADDRESSES} manual virtual IPs with the same service`, 'ManualVIPs');
  }
  return { service: Service, addresses };
}

function bad(text: string, field: string): AppError {
  return new AppError('badRequest', text, { facts: { field } });
}
