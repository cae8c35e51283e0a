import { AppError } from '../../core/errors.ts';
import { unknownDatacenter } from '../http/request-params.ts';
import { ERROR_CODE_HEADER } from '../http/respond.ts';
import type { Route, RouteResponse } from '../http/route.ts';
import {
  type CoordinateEntry,
  checkCoordinate,
  type DatacenterCoordinates,
  decodeCoordinateUpdate,
} from '../shapes/coordinate.ts';
import type { LiveRead } from './catalog-backend.ts';
import { keyOf, missing, type ReadRouteDeps, readRoute } from './read-route.ts';

export interface CoordinateBackend {
  /** Of all nodes, in order of their names. */
  nodes(): LiveRead<readonly CoordinateEntry[]>;
  node(name: string): LiveRead<readonly CoordinateEntry[]>;
  /** Of the servers, by datacenter. */
  datacenters(): readonly DatacenterCoordinates[];
  /** Resolves when it is stored; of a node that is not in the catalog nothing is kept. @throws AppError `queueFull`. */
  update(entry: CoordinateEntry): Promise<void>;
}

/** /v1/coordinate/{datacenters,nodes,node/:node,update} (Consul HTTP API, "Coordinate"). */
export function coordinateRoutes(
  deps: ReadRouteDeps,
  backend: CoordinateBackend,
  options: { enabled: boolean },
): Route[] {
  const routes: Route[] = [
    {
      method: 'GET',
      path: '/v1/coordinate/datacenters',
      handle: () => ({ json: backend.datacenters() }),
    },
    readRoute<readonly CoordinateEntry[]>(deps, '/v1/coordinate/nodes', (_params, { query }) => {
      const segment = query.get('segment');
      return {
        key: keyOf('coordinates', segment === null ? [] : [segment]),
        live: backend.nodes(),
        json: (entries) => ofSegment(entries, segment),
      };
    }),
    readRoute<readonly CoordinateEntry[]>(deps, '/v1/coordinate/node/:node', (_params, { params, query }) => {
      if (!params.node) return missing('node name');
      const segment = query.get('segment');
      return {
        key: keyOf('coordinate', params.node.toLowerCase(), segment === null ? [] : [segment]),
        live: backend.node(params.node),
        json: (entries) => ofSegment(entries, segment),
        respond: (entries) => {
          const found = ofSegment(entries, segment);
          return found.length > 0 ? { json: found } : { status: 404, meta: undefined };
        },
      };
    }),
    { method: 'PUT', path: '/v1/coordinate/update', handle: ({ body }) => update(deps, backend, body) },
  ];
  return options.enabled ? routes : routes.map((route) => ({ ...route, handle: disabled }));
}

function ofSegment(entries: readonly CoordinateEntry[], segment: string | null): readonly CoordinateEntry[] {
  return segment === null ? entries : entries.filter((entry) => entry.Segment === segment);
}

async function update(deps: ReadRouteDeps, backend: CoordinateBackend, body: Buffer): Promise<RouteResponse> {
  const { Datacenter, ...entry } = decodeCoordinateUpdate(body);
  if (Datacenter !== '' && Datacenter.toLowerCase() !== deps.datacenter.toLowerCase()) return unknownDatacenter();
  try {
    if (entry.Node === '') throw new AppError('badRequest', 'Must provide a Node', { facts: { field: 'Node' } });
    checkCoordinate(entry.Coord);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { status: 500, text: error.message, headers: { [ERROR_CODE_HEADER]: error.code } };
  }
  await backend.update(entry);
  return { headers: { 'content-type': 'application/json' }, bytes: new Uint8Array(0) };
}

function disabled(): RouteResponse {
  return { status: 401, text: 'Coordinate support disabled' };
}
