import { kvRoutes } from '../../api/routes/kv-routes.ts';
import { sessionRoutes } from '../../api/routes/session-routes.ts';
import { txnRoutes } from '../../api/routes/txn-routes.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { BoundSessions } from '../sessions/bound-sessions.ts';
import { HeldKeys } from '../sessions/held-keys.ts';
import { LockDelays } from '../sessions/lock-delays.ts';
import { StateSessionBackend } from '../sessions/session-backend.ts';
import { SessionKeeper } from '../sessions/session-keeper.ts';
import { SessionTable } from '../sessions/session-table.ts';
import { type PlanBoundEnd, SessionWriter } from '../sessions/session-writer.ts';
import { StateTxnBackend } from '../txn/txn-backend.ts';
import { StateKvBackend } from './kv-backend.ts';
import { KvTable } from './kv-table.ts';
import { KvWatches } from './kv-watches.ts';

/** Limits of keys and sessions, with Consul's names in its configuration. */
export interface KvLimits {
  /** kv_max_value_size. */
  readonly kvMaxValueBytes: number;
  /** txn_max_req_len. */
  readonly txnMaxBytes: number;
  /** session_ttl_min. */
  readonly sessionTtlMinMs: number;
}

export const KV_LIMITS: KvLimits = { kvMaxValueBytes: 512 * 1024, txnMaxBytes: 512 * 1024, sessionTtlMinMs: 10_000 };

/** Keys, the sessions that can hold them, and what others of this process need of sessions. */
export interface KvPart extends ServerPart {
  readonly sessions: StateSessionBackend;
}

export function kvPart(deps: PartDeps, planBoundEnd: PlanBoundEnd, limits: KvLimits): KvPart {
  const watches = new KvWatches({ topics: deps.state.topics });
  const keys = new KvTable({ watches });
  const delays = new LockDelays(deps);
  const table = new SessionTable({ ...deps, holdings: new HeldKeys({ keys, delays }) });
  const writer = new SessionWriter(
    { ...deps, table, delays, keys, planBoundEnd },
    { ttlMinMs: limits.sessionTtlMinMs },
  );
  deps.metrics.observedGauge({ name: 'lictor_kv_keys', help: 'Keys in the store' }, () => keys.size);
  const keeper = new SessionKeeper({ ...deps, table, writer });
  const sessions = new StateSessionBackend({ ...deps, table, delays, keys, writer, keeper });
  const kv = new StateKvBackend({ ...deps, table: keys, watches, sessions });
  const boundEnds = new BoundSessions({ ...deps, table, writer });
  const txn = new StateTxnBackend(
    { ...deps, keys, sessions, sessionTable: table, sessionWriter: writer, boundEnds },
    deps,
  );
  return {
    // In the order in which they are loaded: dead sessions let go of keys, and of that the delays follow.
    tables: [keys, table, delays],
    routes: [
      ...kvRoutes(deps.reads, kv, { maxValueBytes: limits.kvMaxValueBytes }),
      ...sessionRoutes(deps.reads, sessions, deps),
      ...txnRoutes(deps.reads, txn, { maxBytes: limits.txnMaxBytes }),
    ],
    runnables: [keeper],
    boundEnds,
    sessions,
  };
}
