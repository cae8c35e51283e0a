import type { Route } from '../../api/http/route.ts';
import type { QuorumBackend } from '../../api/routes/operator-routes.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { InTurn } from '../../core/in-turn.ts';
import type { Logger } from '../../core/log.ts';
import type { EtcdProcess } from './etcd-process.ts';
import { NAME, objectOf, textOf } from './join-routes.ts';
import type { JsonCalls } from './json-calls.ts';
import type { EtcdMembers, Member } from './members.ts';

/** Where a server that leaves asks the others to be taken out; the one that leads does it. */
export const LEAVE_PATH = '/v1/internal/etcd/leave';

/** Of the server that leads, or may. */
export interface LeadingServer {
  readonly quorum: Pick<QuorumBackend, 'members' | 'transferLeadership'>;
  leads(): boolean;
  /** Takes a node out of the catalog with all that is on it. */
  deregister(node: string): Promise<void>;
}

export interface LeavingDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly calls: JsonCalls;
  readonly process: EtcdProcess;
  /** Changes of the members, one after the other: whether the rest has a quorum is judged by those that are left then. */
  readonly membership: InTurn;
  /** Undefined until it is composed. */
  readonly server: () => LeadingServer | undefined;
}

interface LeaveAnswer {
  /** Why it is not taken out. */
  readonly refused?: string;
}

/** Another server may have to be elected first, and etcd to see that all are connected (5 s). */
const LIMIT_MS = 20_000;
const RETRY_MS = 300;
const CALL_MS = 10_000;

/** Why the rest could not go on without a member; undefined when it can. */
export function leaveRefusal(voters: readonly { name: string; alive: boolean }[], name: string): string | undefined {
  const rest = voters.filter((one) => one.name !== name);
  const alive = rest.filter((one) => one.alive).length;
  if (rest.length === 0 || alive > rest.length / 2) return undefined;
  const silent = rest.filter((one) => !one.alive).map((one) => one.name);
  return (
    `without ${name} the other servers would have no quorum: ${silent.join(', ')} of ${rest.length} do not answer; ` +
    'bring them back or take them out (lictor operator raft remove-peer), or end this server with SIGTERM to come back'
  );
}

/** Asked by servers that leave. */
export function leaveRoute(deps: LeavingDeps): Route {
  return {
    method: 'PUT',
    path: LEAVE_PATH,
    handle: async ({ body }) => {
      const value = objectOf(body);
      const who = { name: textOf(value, 'name', NAME), id: textOf(value, 'id') };
      return { json: await deps.membership.run(() => takeOut(who, deps)) };
    },
  };
}

async function takeOut(who: { name: string; id: string }, deps: LeavingDeps): Promise<LeaveAnswer> {
  const { process, log } = deps;
  const server = deps.server();
  const { members, ownId } = await process.members.list();
  const leaving = members.find(({ name }) => name === who.name);
  if (!server?.leads() || leaving?.id === ownId) throw new AppError('noLeader', 'another server leads');
  const listed = server.quorum.members().servers.find(({ Node }) => Node === who.name);
  if (listed && listed.ID !== who.id) return { refused: `${who.name} has the id ${listed.ID}, not ${who.id}` };
  const refused = leaveRefusal(await votersOf(members, deps), who.name);
  if (refused !== undefined) return { refused };
  if (leaving) await process.members.remove(leaving.id);
  await server.deregister(who.name);
  log.info('a server has left the cluster', { server: who.name });
  return {};
}

function votersOf(members: readonly Member[], { calls }: LeavingDeps): Promise<{ name: string; alive: boolean }[]> {
  const voters = members.filter(({ learner }) => !learner);
  return Promise.all(
    voters.map(async ({ name, peerUrls }) => {
      const answers = await Promise.all(peerUrls.map((url) => calls.isAlive(url)));
      return { name, alive: answers.includes(true) };
    }),
  );
}

/** The end of a server that leaves its cluster for good. */
export class Leaving {
  readonly #deps: LeavingDeps;
  readonly #self: { readonly name: string; readonly id: string };

  constructor(deps: LeavingDeps, self: { readonly name: string; readonly id: string }) {
    this.#deps = deps;
    this.#self = self;
  }

  /** While it runs: another server leads from now on. @throws AppError `unavailable` when it must not leave. */
  async prepare(): Promise<void> {
    const { process } = this.#deps;
    const server = this.#deps.server();
    const voters = await votersOf((await process.members.list()).members, this.#deps);
    const refused = leaveRefusal(voters, this.#self.name);
    if (refused !== undefined) throw new AppError('unavailable', refused);
    if (voters.length < 2 || !server?.leads()) return;
    const kept = await server.quorum.transferLeadership(undefined);
    if (kept !== undefined) throw new AppError('unavailable', `this server leads and cannot hand over: ${kept}`);
  }

  /** After it has stopped: it is taken out of the cluster, its etcd ended, and its data set aside for a later start. */
  async finish(): Promise<void> {
    const { process, log } = this.#deps;
    const why = await this.#outOfCluster();
    if (why === 'last') {
      await process.stop();
      log.info('the last server of the cluster has ended with its etcd; its data stay for its next start');
    } else if (why !== undefined) {
      log.warn('this server has not been taken out of the cluster, and its etcd goes on', { why });
    } else {
      await process.stop();
      log.info('this server has left the cluster; a later start enters anew', { data: process.setAside() });
    }
  }

  /** Undefined when it is out; `last` when there is nobody else; else why not. */
  async #outOfCluster(): Promise<string | undefined> {
    const { clock, process } = this.#deps;
    const until = clock.monotonic() + LIMIT_MS;
    let why = '';
    while (clock.monotonic() < until) {
      try {
        if (await this.#handOverRaft(process.members)) return 'last';
        const { refused } = await this.#askOthers();
        return refused;
      } catch (error) {
        why = errorText(error);
      }
      await clock.sleep(RETRY_MS);
    }
    return why;
  }

  /** The others need not notice that etcd's Raft has lost its leader; whether there are any. */
  async #handOverRaft(etcd: EtcdMembers): Promise<boolean> {
    const { members, ownId } = await etcd.list();
    const others = members.filter(({ id, learner }) => id !== ownId && !learner);
    if (others.length > 0 && (await etcd.raftLeader()) === ownId) await etcd.transferRaft(others[0]!.id);
    return others.length === 0;
  }

  async #askOthers(): Promise<LeaveAnswer> {
    const { calls, server } = this.#deps;
    const others = (server()?.quorum.members().servers ?? []).filter(({ Node }) => Node !== this.#self.name);
    let last = new AppError('noLeader', 'no other server is known');
    for (const { Address } of others) {
      const url = `${calls.scheme}://${Address}${LEAVE_PATH}`;
      try {
        const { status, text } = await calls.call('PUT', url, this.#self, CALL_MS);
        if (status === 200) return JSON.parse(text) as LeaveAnswer;
        last = new AppError('unavailable', `${url}: ${status} ${text.slice(0, 300)}`);
      } catch (error) {
        last = new AppError('unavailable', `${url}: ${errorText(error)}`);
      }
    }
    throw last;
  }
}
