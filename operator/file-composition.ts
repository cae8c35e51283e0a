import type { Clock } from '../core/clock.ts';
import { RunGroup, type Runnable } from '../core/lifecycle.ts';
import type { Logger } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Random } from '../core/random.ts';
import type { CatalogClient } from './catalog-client/catalog-client.ts';
import { CatalogMirror } from './catalog-mirror/catalog-mirror.ts';
import { LogEventRecorder } from './events/log-event-recorder.ts';
import type { IntentionClient } from './intention-client/intention-client.ts';
import { IntentionMirror } from './intention-mirror/intention-mirror.ts';
import { ControllerSet } from './manager/controller-set.ts';
import { SoleLeader } from './manager/sole-leader.ts';
import { ManifestFolder } from './manifests/manifest-folder.ts';
import type { SweepSubject } from './sweep-guard/sweep-guard.ts';

export interface FileOperatorParts {
  /** Folder of manifests, or one file. */
  readonly folder: string;
  readonly catalogClient: CatalogClient;
  readonly intentionClient: IntentionClient;
  /** @default `manifests/dev` */
  readonly owner?: string;
  /** Catalog node of instances that name none: the node of the agent in the same process. */
  readonly externalNode: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly maxSweepShare?: number;
}

export interface FileOperator {
  /** Reads the folder (rejecting with `config` when a file is wrong at start), then reconciles. */
  readonly runnable: Runnable;
  /** Objects with their statuses, and what is wrong with the files. */
  readonly manifests: ManifestFolder;
  /** What is not removed because it would be too much at once, one line each. */
  readonly heldSweeps: () => string[];
}

/** The operator of `lictor dev`: the reconcilers of the Kubernetes operator, fed from a folder; no Kubernetes client. */
export function composeFileOperator(parts: FileOperatorParts): FileOperator {
  const { clock, random, log, metrics, catalogClient: catalog, intentionClient } = parts;
  const owner = parts.owner ?? 'manifests/dev';
  const manifests = new ManifestFolder({ clock, log }, { path: parts.folder });
  const mirror = new CatalogMirror({ client: catalog, clock, random, log, metrics }, { owner });
  const intentionMirror = new IntentionMirror({ client: intentionClient, clock, random, log, metrics }, { owner });
  const held = new Map<SweepSubject, string>();
  const controllers = new ControllerSet(
    {
      sources: manifests.sources,
      mirror,
      catalog,
      intentions: { source: manifests.intentions, mirror: intentionMirror, client: intentionClient },
      sink: manifests,
      events: new LogEventRecorder({ log }),
      clock,
      random,
      log,
      metrics,
    },
    {
      owner,
      externalNode: parts.externalNode,
      namespaces: 'single',
      source: 'folder',
      workers: 4,
      maxSweepShare: parts.maxSweepShare,
      onHeld: (subject, text) => void (text === undefined ? held.delete(subject) : held.set(subject, text)),
    },
  );
  const leader = new SoleLeader(
    { catalog, lead: (leadership, signal) => controllers.lead(leadership, signal), clock, random, log },
    { owner },
  );
  const runnable = new RunGroup(
    { clock, log },
    { name: 'file operator', members: [manifests, mirror, intentionMirror, leader] },
  );
  return { runnable, manifests, heldSweeps: () => [...held.values()] };
}
