import type { Route } from '../api/http/route.ts';
import type { CaBackend } from '../api/routes/ca-routes.ts';
import type { ConfigBackend } from '../api/routes/config-routes.ts';
import type { DnsLookups } from '../api/routes/dns-lookup-routes.ts';
import type { OperatorBackend } from '../api/routes/operator-routes.ts';
import type { ReadRouteDeps } from '../api/routes/read-route.ts';
import type { ConfigEntry } from '../api/shapes/config-entry/entry.ts';
import type { Clock } from '../core/clock.ts';
import type { Runnable } from '../core/lifecycle.ts';
import type { Logger } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Random } from '../core/random.ts';
import type { Store } from '../store/store.ts';
import { bulkHealthPart } from './backend/bulk-health-part.ts';
import { dnsPart } from './backend/dns-part.ts';
import { type CaPartOptions, caPart } from './ca/ca-part.ts';
import type { BoundEnds } from './catalog/bound-ends.ts';
import type { CatalogLookups } from './catalog/lookups.ts';
import type { CatalogState } from './catalog/state.ts';
import type { StateTable } from './catalog/state-table.ts';
import type { StateWriter } from './catalog/state-writer.ts';
import type { CatalogWriter } from './catalog/writer.ts';
import { configPart } from './config-entries/config-part.ts';
import type { ConfigTable } from './config-entries/config-table.ts';
import type { CoordinateTable } from './coordinates/coordinate-table.ts';
import { coordinatesPart } from './coordinates/coordinates-part.ts';
import { chainPart } from './discovery-chain/chain-part.ts';
import { eventsPart } from './events/events-part.ts';
import { explainPart } from './explain/explain-part.ts';
import type { WhyNoInstance } from './explain/service-explainer.ts';
import { gatewaysPart } from './gateways/gateways-part.ts';
import { intentionsPart } from './intentions/intentions-part.ts';
import { type KvLimits, kvPart } from './kv/kv-part.ts';
import type { Leadership } from './leadership/leadership.ts';
import { namespacesPart } from './namespaces/namespaces-part.ts';
import { operatorPart } from './operator/operator-part.ts';
import { queriesPart } from './prepared-queries/queries-part.ts';
import { snapshotPart } from './snapshot/snapshot-part.ts';
import type { StreamHubOptions } from './stream/stream-hub.ts';
import { streamPart } from './stream/stream-part.ts';
import { uiPart } from './ui/ui-part.ts';
import { manualAddressPart } from './virtual-addresses/manual-address-part.ts';
import type { VirtualAddressTable } from './virtual-addresses/virtual-address-table.ts';

/** What the parts of a server beside the catalog are made from. */
export interface PartDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly store: Store;
  readonly leadership: Leadership;
  /** Whether other servers share the store. */
  readonly elected: boolean;
  readonly state: CatalogState;
  readonly writer: StateWriter;
  readonly catalogWriter: CatalogWriter;
  /** For routes that read. */
  readonly reads: ReadRouteDeps;
  readonly datacenter: string;
  /** Of DNS, without dots at its ends. */
  readonly domain: string;
  readonly nodeName: string;
  /** This server as its operators see it; the address is that of the servers' own port. */
  readonly server: { readonly nodeId: string; readonly address: string; readonly version: string };
  readonly lookups: CatalogLookups;
  readonly coordinates: CoordinateTable;
  readonly virtualAddresses: VirtualAddressTable;
  readonly configTable: ConfigTable;
  /** Written where there are none. */
  readonly bootstrapEntries: readonly ConfigEntry[];
  readonly coordinatesEnabled: boolean;
  readonly kvLimits: KvLimits;
  readonly connect: CaPartOptions;
  readonly streamLimits: StreamHubOptions;
  readonly whyNoInstance?: WhyNoInstance | undefined;
  /** Where archives are put while they are verified. */
  readonly spoolDir: string;
  /** Whether no other process uses that folder. */
  readonly ownsSpoolDir: boolean;
}

/** What a part adds to its server: data, endpoints, and what has to run. */
export interface ServerPart {
  /** Added to the state before anything is loaded. */
  readonly tables?: readonly StateTable[];
  readonly routes?: readonly Route[];
  /** Started after the catalog is loaded, stopped before it; while the server leads. */
  readonly runnables?: readonly Runnable[];
  /** The same, whether it leads or not. */
  readonly standing?: readonly Runnable[];
  /** What DNS asks beside services and nodes: of one part. */
  readonly dnsLookups?: DnsLookups;
  /** What ends with nodes and checks: of one part. */
  readonly boundEnds?: BoundEnds;
  /** The certificate authority: of one part. */
  readonly ca?: CaBackend;
  /** Configuration entries: of one part. */
  readonly config?: ConfigBackend;
  /** What operators ask and set: of one part. */
  readonly operator?: OperatorBackend;
}

/** The parts of a server beside the catalog, in the order in which they start. */
export function serverParts(deps: PartDeps): ServerPart[] {
  const kv = kvPart(deps, (...bound) => queries.writer.planSessionEnd(...bound), deps.kvLimits);
  const queries = queriesPart(deps, kv.sessions);
  const config = configPart(deps, { bootstrap: deps.bootstrapEntries });
  const intentions = intentionsPart(deps, config, { defaultPolicy: deps.connect.defaultIntentionPolicy });
  const gateways = gatewaysPart(deps, config.table);
  const manual = manualAddressPart(deps);
  const ca = caPart(deps, intentions.intentions, deps.connect);
  return [
    config,
    intentions,
    gateways,
    manual,
    chainPart(deps, config.table, ca.ca, manual.table),
    coordinatesPart(deps, deps.coordinates, { enabled: deps.coordinatesEnabled }),
    kv,
    queries,
    eventsPart(deps),
    ca,
    dnsPart(deps, queries.backend, gateways.ingress),
    operatorPart(deps),
    snapshotPart(deps),
    namespacesPart(deps),
    bulkHealthPart(deps),
    streamPart(deps, deps.streamLimits),
    explainPart(deps),
    uiPart(
      deps,
      { table: config.table, gateways: gateways.services, intentions: intentions.index },
      { defaultPolicy: deps.connect.defaultIntentionPolicy },
    ),
  ];
}
