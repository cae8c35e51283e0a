import type { Node } from '../../api/shapes/catalog.ts';
import { addressToHex } from '../wire/ip-address.ts';
import { nameFromText, nameLength } from '../wire/name.ts';

/** `name.node.dc1.consul`; undefined when the node's name cannot be part of a DNS name. */
export function nodeDnsName(
  node: Pick<Node, 'Node' | 'Datacenter'>,
  zone: string,
  datacenter: string,
): string | undefined {
  return validName(`${nameFromText(node.Node)}.node.${nameFromText(node.Datacenter || datacenter)}.${zone}`);
}

/** `0a1e0001.addr.dc1.consul`, which answers with this very address. */
export function addrDnsName(address: string, type: 'A' | 'AAAA', zone: string, datacenter: string): string {
  return `${addressToHex(address, type)}.addr.${nameFromText(datacenter)}.${zone}`;
}

/** An instance's or node's address that is no IP address, as a name; undefined when it is no valid name either. */
export function addressName(address: string): string | undefined {
  return address === '' ? undefined : validName(nameFromText(address));
}

function validName(name: string): string | undefined {
  return name === '' || nameLength(name) === undefined ? undefined : name;
}
