import type {
  ApiGateway,
  GatewayReference,
  HttpRoute,
  Indexes,
  TcpRoute,
} from '../../api/shapes/config-entry/entry.ts';
import { bindingsOf } from './route-binding.ts';

/** An API gateway's entry, or a route's, and when it changed. */
export interface Declared<T> {
  readonly record: T;
  readonly indexes: Indexes;
}

/** A `bound-api-gateway` entry as it is shown: what each listener of a gateway serves (Consul's Go client, api module). */
export interface BoundGateway extends Indexes {
  readonly Kind: 'bound-api-gateway';
  readonly Name: string;
  readonly Listeners: readonly {
    readonly Name: string;
    readonly Routes: readonly Required<GatewayReference>[];
    readonly Certificates: readonly Required<GatewayReference>[];
  }[];
}

/**
 * What an API gateway's entry and the routes come to. It changes with the gateway and with each route that is bound to it.
 * @param routes in order of kind and name.
 */
export function boundGateway(
  gateway: Declared<ApiGateway>,
  routes: readonly Declared<HttpRoute | TcpRoute>[],
): BoundGateway {
  const { record, indexes } = gateway;
  const bindings = bindingsOf(
    record,
    routes.map((route) => route.record),
  );
  const bound = new Set(bindings.flatMap((binding) => binding.routes));
  const changes = routes.filter((route) => bound.has(route.record)).map((route) => route.indexes.ModifyIndex);
  return {
    Kind: 'bound-api-gateway',
    Name: record.Name,
    Listeners: bindings.map(({ listener, routes: taken }) => ({
      Name: listener.Name ?? '',
      Routes: taken.map((route) => reference(route)),
      Certificates: (listener.TLS.Certificates ?? []).map(reference),
    })),
    CreateIndex: indexes.CreateIndex,
    ModifyIndex: Math.max(indexes.ModifyIndex, ...changes),
  };
}

function reference({ Kind = '', Name = '', SectionName = '' }: GatewayReference): Required<GatewayReference> {
  return { Kind, Name, SectionName };
}
