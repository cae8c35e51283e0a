import type { AddressOwner, QueryResult } from '../../api/routes/dns-lookup-routes.ts';
import type { CheckStatus, HealthCheck, HealthEntry, Node, ServiceInstance } from '../../api/shapes/catalog.ts';
import type { DnsReader, ServiceLookup } from '../../dns/answers/catalog-reader.ts';

/** What a test says about an instance; the rest gets plain values. */
export interface FakeInstance extends Partial<Omit<ServiceInstance, 'Service'>> {
  /** The node, which must have been added. */
  node: string;
  service: string;
  /** One check of this status; none when absent. */
  status?: CheckStatus;
}

/** A catalog in memory for DNS tests: nodes and instances are added, `isSynced` and `failure` switched at will. */
export class FakeCatalogReader implements DnsReader {
  isSynced = true;
  /** Every lookup rejects with this when set. */
  failure: unknown;
  /** Every lookup waits for this when set. */
  delay: Promise<unknown> | undefined;
  /** How many lookups were made. */
  lookups = 0;
  readonly #nodes = new Map<string, Node>();
  readonly #services = new Map<string, HealthEntry[]>();
  readonly #servers: string[] = [];

  addNode(name: string, address: string, more: Partial<Node> = {}): this {
    const node = { ...plainNode(name, address), ...more };
    this.#nodes.set(name.toLowerCase(), node);
    return this;
  }

  /** Makes an added node one of the servers. */
  addServer(name: string, address: string, more: Partial<Node> = {}): this {
    this.#servers.push(name);
    return this.addNode(name, address, more);
  }

  addInstance(instance: FakeInstance): this {
    const { node, service, status, ...more } = instance;
    const key = `${more.Namespace ?? 'default'}/${service}`.toLowerCase();
    const entries = this.#services.get(key) ?? [];
    const record = { ...plainInstance(service, `${service}-${entries.length + 1}`), ...more };
    const checks = status === undefined ? [] : [plainCheck(node, record, status)];
    entries.push({ Node: this.#node(node), Service: record, Checks: checks });
    this.#services.set(key, entries);
    return this;
  }

  synced(): boolean {
    return this.isSynced;
  }

  async service(namespace: string, name: string): Promise<ServiceLookup> {
    await this.#lookUp();
    const entries = this.#services.get(`${namespace}/${name}`.toLowerCase());
    return { found: entries !== undefined, entries: entries ?? [] };
  }

  async node(name: string): Promise<Node | undefined> {
    await this.#lookUp();
    return this.#nodes.get(name.toLowerCase());
  }

  async servers(): Promise<readonly Node[]> {
    await this.#lookUp();
    return this.#servers.map((name) => this.#node(name));
  }

  readonly queries = new Map<string, QueryResult>();
  readonly virtuals = new Map<string, string>();
  readonly owners = new Map<string, AddressOwner>();
  /** The sources for which queries were asked. */
  readonly sources: string[] = [];

  async query(idOrName: string, source: string): Promise<QueryResult | undefined> {
    await this.#lookUp();
    this.sources.push(source);
    return this.queries.get(idOrName.toLowerCase());
  }

  /** The instances of a service called `connect:name` or `ingress:name`. */
  async mesh(kind: 'connect' | 'ingress', namespace: string, service: string): Promise<readonly HealthEntry[]> {
    return (await this.service(namespace, `${kind}:${service}`)).entries;
  }

  async virtual(namespace: string, service: string): Promise<{ found: boolean; address?: string }> {
    const { found } = await this.service(namespace, service);
    return { found, address: this.virtuals.get(service.toLowerCase()) };
  }

  async reverse(address: string): Promise<AddressOwner | undefined> {
    await this.#lookUp();
    return this.owners.get(address);
  }

  async #lookUp(): Promise<void> {
    this.lookups++;
    await this.delay;
    if (this.failure !== undefined) throw this.failure;
  }

  #node(name: string): Node {
    const node = this.#nodes.get(name.toLowerCase());
    if (!node) throw new Error(`the test has not added node ${name}`);
    return node;
  }
}

function plainNode(name: string, address: string): Node {
  return {
    ID: '',
    Node: name,
    Address: address,
    Datacenter: 'dc1',
    TaggedAddresses: null,
    Meta: null,
    CreateIndex: 1,
    ModifyIndex: 1,
  };
}

function plainInstance(service: string, id: string): ServiceInstance {
  return {
    ID: id,
    Service: service,
    Tags: [],
    Address: '',
    Meta: null,
    Port: 80,
    Weights: { Passing: 1, Warning: 1 },
    EnableTagOverride: false,
    CreateIndex: 1,
    ModifyIndex: 1,
  };
}

function plainCheck(node: string, instance: ServiceInstance, status: CheckStatus): HealthCheck {
  return {
    Node: node,
    CheckID: `${instance.ID}-check`,
    Name: 'check',
    Status: status,
    Notes: '',
    Output: '',
    ServiceID: instance.ID,
    ServiceName: instance.Service,
    ServiceTags: instance.Tags,
    Type: 'ttl',
    Interval: '',
    Timeout: '',
    ExposedPort: 0,
    Definition: {},
    CreateIndex: 1,
    ModifyIndex: 1,
  };
}
