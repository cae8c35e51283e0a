import { namespaceOf } from '../http/request-params.ts';
import type { Route } from '../http/route.ts';
import { type AssignedAddresses, decodeManualAddresses } from '../shapes/virtual-address.ts';

/** What came of addresses that were set. */
export interface Assignment {
  /** Whether the service is in the mesh; nothing is set for others. */
  readonly found: boolean;
  /** Services that had one of the addresses before. */
  readonly unassignedFrom: readonly string[];
}

export interface VirtualAddressBackend {
  /** Makes these the addresses of a service, and of no other. */
  assign(namespace: string, service: string, addresses: readonly string[]): Promise<Assignment>;
}

/** PUT /v1/internal/service-virtual-ip: what Consul's controllers tell of the addresses that Kubernetes has for a service. */
export function virtualAddressRoutes(backend: VirtualAddressBackend): Route[] {
  return [
    {
      method: 'PUT',
      path: '/v1/internal/service-virtual-ip',
      async handle(request) {
        const namespace = namespaceOf(request);
        const { service, addresses } = decodeManualAddresses(request.body);
        const { found, unassignedFrom } = await backend.assign(namespace, service, addresses);
        const answer: AssignedAddresses = {
          Found: found,
          ServiceFound: found,
          UnassignedFrom: unassignedFrom.map((Name) => ({ ServiceName: { Name }, Peer: '' })),
        };
        return { json: answer };
      },
    },
  ];
}
