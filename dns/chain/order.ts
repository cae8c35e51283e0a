import { addrHandler } from './addr/addr.ts';
import { datacenterHandler } from './datacenter/datacenter.ts';
import { deadlineHandler } from './deadline/deadline.ts';
import { ednsVersionHandler } from './edns-version/edns-version.ts';
import { errorsHandler } from './errors/errors.ts';
import { fitHandler } from './fit/fit.ts';
import type { HandlerFactory } from './handler.ts';
import { metricsHandler } from './metrics/metrics.ts';
import { nodesHandler } from './nodes/nodes.ts';
import { notSyncedHandler } from './not-synced/not-synced.ts';
import { refuseForeignHandler } from './refuse-foreign/refuse-foreign.ts';
import { servicesHandler } from './services/services.ts';
import { transferHandler } from './transfer/transfer.ts';
import { zoneHandler } from './zone/zone.ts';

/**
 * Around every question that came in, outermost first. Recursors belong in the place of refuse-foreign, which they
 * make unnecessary.
 */
export const EDGE: readonly HandlerFactory[] = [
  metricsHandler,
  errorsHandler,
  fitHandler,
  deadlineHandler,
  ednsVersionHandler,
  refuseForeignHandler,
  notSyncedHandler,
];

/**
 * Who may answer a name of the zone, first come first served; targets of CNAME and SRV records inside the zone are
 * asked here as well. A name that nobody answers does not exist. Federation replaces datacenter. Lookups of mesh
 * endpoints, ingress gateways and virtual addresses belong after services, prepared queries after nodes, and reverse
 * lookups (PTR), whose names refuse-foreign has to let pass then, at the end.
 */
export const LOOKUPS: readonly HandlerFactory[] = [
  transferHandler,
  zoneHandler,
  datacenterHandler,
  servicesHandler,
  nodesHandler,
  addrHandler,
];
