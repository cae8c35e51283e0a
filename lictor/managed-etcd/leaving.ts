import type { Route } from '../../api/http/route.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { InTurn } from '../../core/in-turn.ts';
import type { Logger } from '../../core/log.ts';
import type { EtcdProcess } from './etcd-process.ts';
import { NAME, objectOf, textOf } from './join-routes.ts';
import type { JsonCalls } from './json-calls.ts';
import type { LeadingServer } from './leading-server.ts';
import type { Member } from './members.ts';
import { leaveRefusal, votersOf } from './voters.ts';

/** Where a server that leaves asks the others to be taken out; the one that leads does it. */
export const LEAVE_PATH = '/v1/internal/etcd/leave';

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

interface LeaveRequest {
  readonly name: string;
  /** Of the node. */
  readonly id: string;
  /** Etcd's: the same server has another one when it has come back meanwhile. */
  readonly memberId: string;
  /** So long the caller waits: afterwards it goes on as a member. */
  readonly withinMs: number;
}

interface LeaveAnswer {
  /** Why it is not taken out. */
  readonly refused?: string;
}

/** Another server may have to be elected first, and etcd to see that all are connected (5 s). */
const LIMIT_MS = 20_000;
const RETRY_MS = 300;
const CALL_MS = 10_000;

/** Asked by servers that leave. */
export function leaveRoute(deps: LeavingDeps): Route {
  return {
    method: 'PUT',
    path: LEAVE_PATH,
    handle: async ({ body, signal }) => {
      const request = leaveRequestOf(body);
      const { clock, membership } = deps;
      const until = clock.monotonic() + request.withinMs;
      const assertAwaited = (): void => {
        // A server that was paused may get the request together with the news that the caller has gone.
        if (!signal.aborted && clock.monotonic() < until) return;
        throw new AppError('unavailable', `${request.name} does not wait any more to be taken out`);
      };
      return { json: await membership.run(() => takeOut(request, deps, assertAwaited)) };
    },
  };
}

async function takeOut(request: LeaveRequest, deps: LeavingDeps, assertAwaited: () => void): Promise<LeaveAnswer> {
  const { process, log, calls } = deps;
  const { name, id, memberId } = request;
  assertAwaited();
  const server = deps.server();
  if (!server?.leads()) throw new AppError('noLeader', 'another server leads');
  const { members, ownId } = await process.members.list({ settled: true });
  if (!server.leads() || memberId === ownId) throw new AppError('noLeader', 'another server leads');
  const listed = server.quorum.members().servers.find(({ Node }) => Node === name);
  if (listed && listed.ID !== id) return { refused: `${name} has the id ${listed.ID}, not ${id}` };
  const again = members.find((one) => one.name === name && one.id !== memberId);
  if (again) return { refused: `${name} is the member ${again.id} of etcd, not ${memberId}` };
  const refused = leaveRefusal(await votersOf(members, calls), name);
  if (refused !== undefined) return { refused };
  assertAwaited();
  if (members.some((one) => one.id === memberId)) await process.members.remove(memberId);
  await server.deregister(name);
  log.info('a server has left the cluster', { server: name });
  return {};
}

/** @throws AppError `badRequest`. */
function leaveRequestOf(body: Buffer): LeaveRequest {
  const value = objectOf(body);
  const withinMs = Number(value.withinMs);
  if (!(withinMs >= 0 && withinMs <= LIMIT_MS)) {
    throw new AppError('badRequest', `withinMs must be a time from 0 to ${LIMIT_MS}`);
  }
  const memberId = textOf(value, 'memberId', /^\d{1,20}$/);
  return { name: textOf(value, 'name', NAME), id: textOf(value, 'id'), memberId, withinMs };
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
    const voters = await votersOf((await process.members.list()).members, this.#deps.calls);
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
    const { clock } = this.#deps;
    const until = clock.monotonic() + LIMIT_MS;
    let asked: string | undefined;
    let why = '';
    for (let tries = 0; clock.monotonic() < until; tries++) {
      try {
        const memberId = await this.#handOverRaft(tries).catch((error) => {
          // Out by a request whose answer was lost, it hears no more from its etcd.
          if (asked === undefined) throw error;
          return asked;
        });
        if (memberId === undefined) return 'last';
        asked = memberId;
        return (await this.#askOthers(memberId, until)).refused;
      } catch (error) {
        why = errorText(error);
      }
      await clock.sleep(RETRY_MS);
    }
    return why;
  }

  /** The others need not notice that etcd's Raft has lost its leader. The own member's id; undefined for the last one. */
  async #handOverRaft(tries: number): Promise<string | undefined> {
    const etcd = this.#deps.process.members;
    let { members, ownId } = await etcd.list();
    const isOther = ({ id, learner }: Member): boolean => id !== ownId && !learner;
    // Others may have come whom the own etcd does not know yet.
    if (!members.some(isOther)) ({ members, ownId } = await etcd.list({ settled: true }));
    const others = members.filter(isOther);
    if (others.length === 0) return undefined;
    // One of them may be dead.
    const next = others[tries % others.length]!;
    if ((await etcd.raftLeader()) === ownId) await etcd.transferRaft(next.id);
    return ownId;
  }

  async #askOthers(memberId: string, until: number): Promise<LeaveAnswer> {
    const { calls, server, clock } = this.#deps;
    const others = (server()?.quorum.members().servers ?? []).filter(({ Node }) => Node !== this.#self.name);
    let last = new AppError('noLeader', 'no other server is known');
    for (const { Address } of others) {
      const url = `${calls.scheme}://${Address}${LEAVE_PATH}`;
      const withinMs = Math.ceil(Math.min(CALL_MS, until - clock.monotonic()));
      if (withinMs <= 0) break;
      try {
        const { status, text } = await calls.call('PUT', url, { ...this.#self, memberId, withinMs }, withinMs);
        if (status === 200) return JSON.parse(text) as LeaveAnswer;
        last = new AppError('unavailable', `${url}: ${status} ${text.slice(0, 300)}`);
      } catch (error) {
        last = new AppError('unavailable', `${url}: ${errorText(error)}`);
      }
    }
    throw last;
  }
}
