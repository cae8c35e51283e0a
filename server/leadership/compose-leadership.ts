import type { ClientTls } from '../../api/http/client-tls.ts';
import type { Route } from '../../api/http/route.ts';
import type { Upgrade } from '../../api/http/upgrades.ts';
import type { ReadAuthority } from '../../api/routes/read-route.ts';
import type { Clock } from '../../core/clock.ts';
import type { Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import type { Store } from '../../store/store.ts';
import type { RevisionGate } from '../catalog/revision-gate.ts';
import { ElectedLeadership } from './elected-leadership.ts';
import { forwardToLeader } from './forward-to-leader.ts';
import { handOnUpgrade } from './hand-on-server.ts';
import { LeaderClient } from './leader-client.ts';
import { type Leadership, type ServerPlace, SoleLeadership } from './leadership.ts';
import { whileLeading } from './while-leading.ts';

/** A change is told of at once; this is for what is not told. */
const LOOK_MS = 1000;

export interface LeadershipDeps {
  readonly store: Store;
  readonly state: { readonly loaded: boolean };
  readonly gate: RevisionGate;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly random: Random;
}

/** How a server stands beside the others of its store. */
export interface LeadershipParts {
  readonly leadership: Leadership;
  /** To be started after the catalog is loaded, before what writes. */
  readonly runnables: readonly Runnable[];
  /** What only the leader does. */
  leading(member: Runnable): Runnable;
  /** The routes as they are served: what is the leader's reaches it. */
  routes(own: Route[]): Route[];
  /** What the other servers speak on connections of their own, given the routes as they are served. */
  upgrades(served: readonly Route[]): Upgrade[];
}

/** Of a store that is this server's own, or of one that several servers share. */
export function composeLeadership(
  deps: LeadershipDeps,
  self: ServerPlace,
  options: { readonly elected: boolean; readonly tls?: (() => ClientTls) | undefined },
): LeadershipParts {
  if (!options.elected) {
    const leadership = new SoleLeadership(deps.state, self);
    const leading = (member: Runnable) => member;
    return { leadership, runnables: [], leading, routes: (own) => own, upgrades: () => [] };
  }
  const leadership = new ElectedLeadership(deps, self);
  const client = new LeaderClient({ selfId: self.id, tls: options.tls, clock: deps.clock });
  return {
    leadership,
    runnables: [followingLeader(leadership, client), leadership],
    leading: (member) => whileLeading(leadership, member),
    routes: (own) => forwardToLeader(own, { ...deps, leadership, client }),
    upgrades: (served) => [handOnUpgrade(deps, served)],
  };
}

/** Keeps connections to the leader of the moment only. */
function followingLeader(leadership: Leadership, client: LeaderClient): Runnable {
  return {
    name: 'leader-client',
    async run({ signal, ready }) {
      ready();
      while (!signal.aborted) {
        const leader = leadership.leader();
        if (leader) client.turnTo(leader.address);
        await leadership.changed(LOOK_MS, signal);
      }
      await client.close();
    },
  };
}

/** What reads tell of it. */
export function readAuthority(leadership: Leadership): ReadAuthority {
  return {
    leads: () => leadership.leads(),
    knownLeader: () => leadership.leader() !== undefined,
    lastContactMs: () => leadership.lastContactMs(),
    barrier: () => leadership.barrier(),
  };
}
