import type { HealthEntry } from '../../api/shapes/catalog.ts';
import { canonicalAddress } from '../../core/ip-address.ts';
import type { InstanceEntry, NodeEntry } from './entries.ts';
import { InstanceIndex } from './instance-index.ts';
import { meshDestination, meshUpstreams } from './mesh-destination.ts';
import { NodeAddressIndex } from './node-address-index.ts';
import type { CatalogState } from './state.ts';

/** The rarer ways to find something in the catalog; each has its index, made when it is first used. */
export class CatalogLookups {
  readonly #connect: InstanceIndex;
  readonly #dialers: InstanceIndex;
  readonly #addresses: InstanceIndex;
  readonly #nodes: NodeAddressIndex;

  constructor(deps: { state: CatalogState }) {
    this.#connect = new InstanceIndex(deps, {
      keysOf: ({ namespace, stored }) => listed(meshDestination(namespace, stored.record.content)),
    });
    this.#dialers = new InstanceIndex(deps, {
      keysOf: ({ namespace, stored }) => meshUpstreams(namespace, stored.record.content),
    });
    this.#addresses = new InstanceIndex(deps, {
      keysOf: ({ stored }) => listed(canonicalAddress(stored.record.content.Address)),
    });
    this.#nodes = new NodeAddressIndex(deps);
  }

  /** The proxies of a service, and its instances that speak the mesh's TLS themselves. */
  connect(namespace: string, service: string): HealthEntry[] {
    return health(this.#connect.get(`${namespace}/${service.toLowerCase()}`));
  }

  /** The proxies that are told to connect to a service. */
  dialers(namespace: string, service: string): HealthEntry[] {
    return health(this.#dialers.get(`${namespace}/${service.toLowerCase()}`));
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

function listed(key: string | undefined): readonly string[] {
  return key === undefined ? [] : [key];
}
