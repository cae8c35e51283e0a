import type { LiveRead } from '../../api/routes/catalog-backend.ts';
import type { NodeDistances } from '../../api/routes/node-distances.ts';
import type { ExecuteOptions, QueryBackend, ResolvedQuery } from '../../api/routes/query-routes.ts';
import type { HealthEntry } from '../../api/shapes/catalog.ts';
import type { PreparedQuery, QueryAnswer, QueryContent } from '../../api/shapes/prepared-query.ts';
import { AppError } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import { liveRead } from '../backend/catalog-reads.ts';
import type { CatalogState } from '../catalog/state.ts';
import { topicOf } from '../catalog/topics.ts';
import { QUERIES_TOPIC, type QueryTable } from './query-table.ts';
import type { QueryWriter } from './query-writer.ts';
import { inAnswerOrder, selectInstances } from './select-instances.ts';

/** The mesh-capable endpoints of a service. */
export type ConnectInstances = (namespace: string, service: string) => readonly HealthEntry[];

export interface QueryBackendDeps {
  readonly state: CatalogState;
  readonly table: QueryTable;
  readonly writer: QueryWriter;
  readonly distances: NodeDistances;
  readonly connect: ConnectInstances;
  /** The name of the node with an address. */
  readonly nodeAt: (address: string) => string | undefined;
  readonly random: Pick<Random, 'next'>;
}

/** Prepared queries over the state of this server. */
export class StateQueryBackend implements QueryBackend {
  readonly #deps: QueryBackendDeps;
  readonly #datacenter: string;

  constructor(deps: QueryBackendDeps, options: { datacenter: string }) {
    this.#deps = deps;
    this.#datacenter = options.datacenter;
  }

  list(): LiveRead<readonly PreparedQuery[]> {
    return liveRead(this.#deps.state, [QUERIES_TOPIC], () => this.#deps.table.list());
  }

  byId(id: string): LiveRead<PreparedQuery | undefined> {
    return liveRead(this.#deps.state, [QUERIES_TOPIC], () => this.#deps.table.byId(id)?.shape);
  }

  explain(idOrName: string): LiveRead<PreparedQuery | undefined> {
    return liveRead(this.#deps.state, [QUERIES_TOPIC], () => this.resolve(idOrName)?.query);
  }

  create(content: QueryContent): Promise<string> {
    return this.#deps.writer.create(content);
  }

  update(id: string, content: QueryContent): Promise<void> {
    return this.#deps.writer.update(id, content);
  }

  delete(id: string): Promise<void> {
    return this.#deps.writer.delete(id);
  }

  resolve(idOrName: string): ResolvedQuery | undefined {
    this.#deps.state.assertLoaded();
    const entry = this.#deps.table.find(idOrName);
    if (!entry) return undefined;
    const { shape, template, broken } = entry;
    if (broken !== undefined) {
      const text = `the prepared query ${JSON.stringify(shape.ID)} cannot be executed: ${broken}; update or delete it`;
      throw new AppError('storeCorrupt', text);
    }
    return { query: template ? { ...shape, Service: template.render({ name: idOrName, segment: '' }) } : shape };
  }

  execute(resolved: ResolvedQuery, options: ExecuteOptions): LiveRead<QueryAnswer> {
    const { state, random } = this.#deps;
    const { query } = resolved;
    const name = query.Service.Service;
    const namespace = query.Service.Namespace ?? options.namespace;
    const connect = options.connect || query.Service.Connect;
    const topics = connect
      ? [QUERIES_TOPIC, topicOf.instances(namespace)]
      : [QUERIES_TOPIC, topicOf.service(namespace, name.toLowerCase())];
    return liveRead(state, topics, () => {
      const entries = connect ? this.#deps.connect(namespace, name) : state.service(namespace, name);
      const Nodes = inAnswerOrder(
        selectInstances(entries, query.Service),
        { distance: this.#distance(options), limit: options.limit },
        random,
      );
      // Of other datacenters none is known here, so there is none to try: a failover that names some finds nothing.
      return { Service: name, Nodes, DNS: query.DNS, Datacenter: this.#datacenter, PeerName: '', Failovers: 0 };
    });
  }

  #distance({ near, agent, sourceIp }: ExecuteOptions): ((node: string) => number) | undefined {
    if (near === '') return undefined;
    const node = near === '_agent' ? agent : near === '_ip' ? this.#deps.nodeAt(sourceIp) : near;
    return node === undefined ? undefined : this.#deps.distances.from(node);
  }
}
