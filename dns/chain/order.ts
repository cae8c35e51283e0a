import { addrHandler } from './addr/addr.ts';
import { datacenterHandler } from './datacenter/datacenter.ts';
import { deadlineHandler } from './deadline/deadline.ts';
import { ednsVersionHandler } from './edns-version/edns-version.ts';
import { errorsHandler } from './errors/errors.ts';
import { fitHandler } from './fit/fit.ts';
import type { HandlerFactory } from './handler.ts';
import { meshHandler } from './mesh/mesh.ts';
import { metricsHandler } from './metrics/metrics.ts';
import { nodesHandler } from './nodes/nodes.ts';
import { notSyncedHandler } from './not-synced/not-synced.ts';
import { queriesHandler } from './queries/queries.ts';
import { recursorsHandler } from './recursors/recursors.ts';
import { refuseForeignHandler } from './refuse-foreign/refuse-foreign.ts';
import { reverseHandler } from './reverse/reverse.ts';
import { servicesHandler } from './services/services.ts';
import { transferHandler } from './transfer/transfer.ts';
import { virtualHandler } from './virtual/virtual.ts';
import { zoneHandler } from './zone/zone.ts';

/**
 * Around every question that came in, outermost first. Recursors have their own deadlines; what they take over never
 * comes to refuse-foreign.
 */
export const EDGE: readonly HandlerFactory[] = [
  metricsHandler,
  errorsHandler,
  fitHandler,
  ednsVersionHandler,
  recursorsHandler,
  deadlineHandler,
  refuseForeignHandler,
  notSyncedHandler,
];

/**
 * Who may answer a name of the zone, first come first served; targets of CNAME and SRV records inside the zone are
 * asked here as well. A name that nobody answers does not exist. Federation replaces datacenter.
 */
export const LOOKUPS: readonly HandlerFactory[] = [
  transferHandler,
  zoneHandler,
  datacenterHandler,
  servicesHandler,
  meshHandler,
  virtualHandler,
  nodesHandler,
  queriesHandler,
  addrHandler,
  reverseHandler,
];
