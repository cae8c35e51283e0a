import type { LiveRead } from '../../api/routes/catalog-backend.ts';
import type { ConfigBackend, ExportedService } from '../../api/routes/config-routes.ts';
import type {
  ApiGateway,
  ConfigEntry,
  ConfigKind,
  ExportedServices,
  HttpRoute,
  TcpRoute,
} from '../../api/shapes/config-entry/entry.ts';
import { liveRead } from '../backend/catalog-reads.ts';
import type { CatalogState } from '../catalog/state.ts';
import { type BoundGateway, boundGateway } from '../gateways/bound-gateways.ts';
import { type ConfigTable, configTopic, type KeptEntry } from './config-table.ts';
import type { ConfigWriter } from './config-writer.ts';

/** In the order in which routes are bound. */
const ROUTE_KINDS = ['http-route', 'tcp-route'] as const;

export interface ConfigBackendDeps {
  readonly state: CatalogState;
  readonly table: ConfigTable;
  readonly writer: Pick<ConfigWriter, 'put' | 'delete'>;
}

/** Configuration entries over the state of this server. */
export class StateConfigBackend implements ConfigBackend {
  readonly #deps: ConfigBackendDeps;

  constructor(deps: ConfigBackendDeps) {
    this.#deps = deps;
  }

  list(kind: ConfigKind): LiveRead<readonly object[]> {
    const { state, table } = this.#deps;
    return liveRead(state, [configTopic.kind(kind)], () => table.list(kind).map(({ shape }) => shape));
  }

  entry(kind: ConfigKind, name: string): LiveRead<object | undefined> {
    const { state, table } = this.#deps;
    return liveRead(state, [configTopic.entry(kind, name)], () => table.kept(kind, name)?.shape);
  }

  bound(): LiveRead<readonly BoundGateway[]> {
    const { state, table } = this.#deps;
    const topics = (['api-gateway', ...ROUTE_KINDS] as const).map(configTopic.kind);
    const declared = <T>({ stored, indexes }: KeptEntry) => ({ record: stored.record as T, indexes });
    return liveRead(state, topics, () => {
      const routes = ROUTE_KINDS.flatMap((kind) => table.list(kind).map(declared<HttpRoute | TcpRoute>));
      return table.list('api-gateway').map((gateway) => boundGateway(declared<ApiGateway>(gateway), routes));
    });
  }

  exported(): LiveRead<readonly ExportedService[]> {
    const { state, table } = this.#deps;
    return liveRead(state, [configTopic.kind('exported-services')], () =>
      exportsOf(table.get('exported-services', 'default') as ExportedServices | undefined),
    );
  }

  put(entry: ConfigEntry, cas?: bigint): Promise<boolean> {
    return this.#deps.writer.put(entry, cas);
  }

  delete(kind: ConfigKind, name: string, cas?: bigint): Promise<boolean> {
    return this.#deps.writer.delete(kind, name, cas);
  }
}

function exportsOf(entry: ExportedServices | undefined): ExportedService[] {
  return (entry?.Services ?? [])
    .map(({ Name: name = '', Consumers: consumers = [] }) => ({
      Service: name,
      Consumers: { Peers: [...new Set(consumers.map(({ Peer: peer = '' }) => peer))].sort() },
    }))
    .sort((a, b) => (a.Service < b.Service ? -1 : 1));
}
