import { type CoordinateBackend, coordinateRoutes } from '../../api/routes/coordinate-routes.ts';
import { ORIGIN } from '../../api/shapes/coordinate.ts';
import { liveRead } from '../backend/catalog-reads.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { type CoordinateTable, coordinateTopics } from './coordinate-table.ts';
import { CoordinateWriter } from './coordinate-writer.ts';
import { OwnCoordinate } from './own-coordinate.ts';

/** Of servers there is one area without federation: the wide one holds them all. */
const AREA = 'wan';

/** The nodes' coordinates: their table, their endpoints, and that of this server's own node. */
export function coordinatesPart(deps: PartDeps, table: CoordinateTable, options: { enabled: boolean }): ServerPart {
  const { state, nodeName, datacenter } = deps;
  const writer = new CoordinateWriter({ ...deps, table }, { intervalMs: 200, maxBatch: 256, maxWaiting: 20_000 });
  const backend: CoordinateBackend = {
    nodes: () => liveRead(state, [coordinateTopics.all], () => table.entries()),
    node: (name) => liveRead(state, [coordinateTopics.node(name)], () => table.entriesOf(name)),
    datacenters: () => {
      state.assertLoaded();
      const own = table.entriesOf(nodeName).find((entry) => entry.Segment === '');
      const Coordinates = [{ Node: nodeName, Segment: '', Coord: own?.Coord ?? ORIGIN }];
      return [{ Datacenter: datacenter, AreaID: AREA, Coordinates }];
    },
    update: (entry) => writer.update(entry),
  };
  const own = new OwnCoordinate({ ...deps, table, update: backend.update }, { nodeName });
  return {
    tables: [table],
    routes: coordinateRoutes(deps.reads, backend, options),
    runnables: options.enabled ? [own] : [],
  };
}
