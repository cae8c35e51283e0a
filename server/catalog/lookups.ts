import type { HealthEntry } from '../../api/shapes/catalog.ts';
import { canonicalAddress } from '../../core/ip-address.ts';
import type { InstanceEntry, NodeEntry } from './entries.ts';
import { InstanceIndex } from './instance-index.ts';
import { meshDestination } from './mesh-destination.ts';
import { NodeAddressIndex } from './node-address-index.ts';
import type { CatalogState } from './state.ts';

/** The rarer ways to find something in the catalog; each has its index, made when it is first used. */
export class CatalogLookups {
  readonly #connect: InstanceIndex;
  readonly #addresses: InstanceIndex;
  readonly #nodes: NodeAddressIndex;

  constructor(deps: { state: CatalogState }) {
    this.#connect = new InstanceIndex(deps, { keyOf: ({ namespace, shape }) => meshDestination(namespace, shape) });
    this.#addresses = new InstanceIndex(deps, { keyOf: ({ shape }) => canonicalAddress(shape.Address) });
    this.#nodes = new NodeAddressIndex(deps);
  }

  /** The proxies of a service, and its instances that speak the mesh's TLS themselves. */
  connect(namespace: string, service: string): HealthEntry[] {
    return health(this.#connect.get(`${namespace}/${service.toLowerCase()}`));
  }

  /** The instances whose own address this is. */
  instancesAt(address: string): HealthEntry[] {
    return health(this.#addresses.get(canonicalAddress(address) ?? ''));
  }

  nodeAt(address: string): NodeEntry | undefined {
    return this.#nodes.find(canonicalAddress(address) ?? '');
  }
}

function health(instances: readonly InstanceEntry[]): HealthEntry[] {
  return instances.filter(({ node }) => node.shape).map((instance) => instance.health());
}
