import type { AutopilotBackend, QuorumBackend } from '../../api/routes/operator-routes.ts';
import type { AutopilotConfig } from '../../api/shapes/operator.ts';
import type { Clock } from '../../core/clock.ts';
import { parseGoDuration } from '../../core/duration.ts';
import type { InTurn } from '../../core/in-turn.ts';
import type { RunContext, Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { EtcdMembers } from './members.ts';

/** A member as the leader server sees it. */
export interface MemberLook {
  readonly id: string;
  readonly name: string;
  readonly learner: boolean;
  /** How long its peer port has not answered; 0: it answers. */
  readonly silentMs: number;
  /** Whether the catalog has its server. */
  readonly listed: boolean;
}

export interface RemovalRules {
  /** Whether members whose server nobody has taken out are removed, too. */
  readonly cleanup: boolean;
  /** So many full members must live beside one that is cleaned up. */
  readonly floor: number;
  /** Silent for less, a member is not dead. */
  readonly deadMs: number;
}

/** A learner that has never started keeps others from entering; it gets this long. */
const LEARNER_MS = 60_000;

/**
 * The member to take out of etcd, one at a time. One whose server was taken out of the catalog (`remove-peer`) goes once it
 * is silent; any other one only when enough others live. Never without the quorum that etcd needs to go on afterwards.
 */
export function memberToRemove(members: readonly MemberLook[], rules: RemovalRules): MemberLook | undefined {
  const voters = members.filter(({ learner }) => !learner);
  const alive = voters.filter(({ silentMs }) => silentMs === 0).length;
  if (alive <= voters.length / 2) return undefined;
  return members.find(({ learner, silentMs, listed }) => {
    if (silentMs === 0 || silentMs < rules.deadMs) return false;
    if (learner) return silentMs >= LEARNER_MS;
    return !listed || (rules.cleanup && alive >= rules.floor);
  });
}

export interface DeadMembersDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly members: Pick<EtcdMembers, 'list' | 'remove'>;
  /** Changes of the members, one after the other: each looks at the list first. */
  readonly membership: InTurn;
  readonly isAlive: (peerUrl: string) => Promise<boolean>;
  readonly autopilot: Pick<AutopilotBackend, 'config'>;
  /** The servers in the catalog. */
  readonly quorum: Pick<QuorumBackend, 'members' | 'remove'>;
  readonly leads: () => boolean;
}

const LOOK_MS = 2000;

/** While this server leads, takes members out whose servers are dead, by autopilot's configuration. */
export class DeadMembers implements Runnable {
  readonly name = 'dead-members';
  readonly #deps: DeadMembersDeps;
  readonly #expect: number;
  /** Since when, by the clock's monotonic time. */
  readonly #silent = new Map<string, number>();

  constructor(deps: DeadMembersDeps, options: { readonly expect: number }) {
    this.#deps = deps;
    this.#expect = options.expect;
  }

  async run({ signal, ready }: RunContext): Promise<void> {
    const { clock, log, leads } = this.#deps;
    ready();
    while (!signal.aborted) {
      await clock.sleep(LOOK_MS, signal);
      if (signal.aborted) return;
      if (!leads()) {
        // What was seen long ago says nothing when it leads again.
        this.#silent.clear();
        continue;
      }
      try {
        await this.#deps.membership.run(() => this.#look());
      } catch (err) {
        log.warn('dead members cannot be looked for', { err });
      }
    }
  }

  async #look(): Promise<void> {
    const { members, leads, log, autopilot, quorum } = this.#deps;
    const config = autopilot.config();
    const { servers } = quorum.members();
    const names = new Set(servers.map(({ Node }) => Node));
    // Who is not in it, or is elsewhere by now, must not be taken for dead.
    const { members: known, ownId } = await members.list({ settled: true });
    const looks = await Promise.all(
      known.map(async ({ id, name, learner, peerUrls }) => {
        const silentMs = id === ownId ? 0 : await this.#silentMs(id, peerUrls);
        return { id, name, learner, silentMs, listed: names.has(name) };
      }),
    );
    const dead = memberToRemove(looks, rulesOf(config, this.#expect));
    if (!leads()) return;
    if (dead) {
      await members.remove(dead.id);
      this.#silent.delete(dead.id);
      log.warn('a dead server has been taken out of etcd', { server: dead.name, silentMs: Math.round(dead.silentMs) });
    }
    await this.#forget(looks.filter((one) => one !== dead));
  }

  /** Servers without a member leave the catalog as soon as it has them as failed; before, their removal is refused. */
  async #forget(members: readonly MemberLook[]): Promise<void> {
    const { quorum, log } = this.#deps;
    const names = new Set(members.map(({ name }) => name));
    // One that has never started has no name yet and may be any of them.
    if (names.has('')) return;
    for (const { ID, Node } of quorum.members().servers) {
      if (names.has(Node) || (await quorum.remove({ id: ID })) !== undefined) continue;
      log.warn('a dead server has been taken out of the catalog', { server: Node });
    }
  }

  async #silentMs(id: string, peerUrls: readonly string[]): Promise<number> {
    const { clock, isAlive } = this.#deps;
    const answers = await Promise.all(peerUrls.map(isAlive));
    if (answers.includes(true)) {
      this.#silent.delete(id);
      return 0;
    }
    const since = this.#silent.get(id) ?? clock.monotonic();
    this.#silent.set(id, since);
    return Math.max(1, clock.monotonic() - since);
  }
}

function rulesOf(config: AutopilotConfig, expect: number): RemovalRules {
  return {
    cleanup: config.CleanupDeadServers,
    floor: Math.max(config.MinQuorum, expect),
    deadMs: Math.max(
      parseGoDuration(config.LastContactThreshold) ?? 0,
      parseGoDuration(config.ServerStabilizationTime) ?? 0,
      LOOK_MS,
    ),
  };
}
