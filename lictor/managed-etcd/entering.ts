import type { Route } from '../../api/http/route.ts';
import { AppError } from '../../core/errors.ts';
import type { InTurn } from '../../core/in-turn.ts';
import type { Logger } from '../../core/log.ts';
import type { Formation } from './formation.ts';
import { NAME, objectOf, textOf } from './join-routes.ts';
import type { JsonCalls } from './json-calls.ts';
import type { LeadingServer } from './leading-server.ts';
import type { EtcdMembers, Member, Membership } from './members.ts';
import { removalRefusal, votersOf } from './voters.ts';

/** Where a server asks to be let into the cluster, again and again until it is a full member. */
export const ENTER_PATH = '/v1/internal/etcd/enter';

/** A server that asks to be let in. */
export interface EnterRequest {
  readonly name: string;
  readonly peerUrl: string;
  /** Whether its etcd has begun with what an earlier answer said. */
  readonly started: boolean;
  /** By a server that it has asked and that does not lead. */
  readonly handedOn: boolean;
}

export interface EnterAnswer {
  readonly clusterId: string;
  /** `name=url,…` for its etcd to begin with. */
  readonly members: string;
  /** A full member, not a learner any more. */
  readonly promoted: boolean;
  /** Whether it is among the members; false only for one that has started before. */
  readonly known: boolean;
}

export interface EnteringDeps {
  readonly log: Logger;
  readonly formation: Pick<Formation, 'card'>;
  readonly members: Pick<EtcdMembers, 'list' | 'addLearner' | 'promote' | 'move' | 'remove'>;
  readonly calls: Pick<JsonCalls, 'scheme' | 'call' | 'isAlive'>;
  /** Changes of the members, one after the other: each looks at the list first. */
  readonly membership: InTurn;
  /** Undefined until it is composed. */
  readonly server: () => LeadingServer | undefined;
}

/** Who asks waits for 15 s. */
const HAND_ON_MS = 12_000;

/** Asked by servers that enter. Any server of the cluster adds a member; the one that leads alone takes one out. */
export function enterRoute(deps: EnteringDeps): Route {
  return {
    method: 'PUT',
    path: ENTER_PATH,
    handle: async ({ body }) => {
      const request = enterRequestOf(body, deps.calls.scheme);
      const { name, state } = deps.formation.card();
      if (state !== 'formed') throw new AppError('unavailable', `${name} is in no cluster itself`);
      const answer = await deps.membership.run(() => enter(request, deps));
      return { json: answer ?? (await handOn(request, deps)) };
    },
  };
}

/** Undefined where the server that leads has to do it. */
async function enter(request: EnterRequest, deps: EnteringDeps): Promise<EnterAnswer | undefined> {
  const { members } = deps;
  let before = await members.list();
  let found = memberOf(before, request);
  if (!(found && request.started)) {
    // The etcd here may not have heard of it yet, or not of what has become of it.
    before = await members.list({ settled: true });
    found = memberOf(before, request);
  }
  if (found && request.started) {
    if (found.learner) await members.promote(found.id);
    return { clusterId: before.clusterId, members: '', promoted: true, known: true };
  }
  // It is not added here: without a member of its name it has data of one that was taken out.
  if (request.started) return moved(request, before, deps);
  // One that was added and has never started begins as it was told before.
  if (!(found && found.name === '')) {
    const old = before.members.filter((one) => one.name === request.name || one.peerUrls.includes(request.peerUrl));
    if (old.length > 0 && !deps.server()?.leads()) return undefined;
    await removeOld(request, old, deps);
    await members.addLearner(request.peerUrl);
  }
  const after = await members.list();
  const all = after.members.flatMap((one) =>
    one.peerUrls.map((url) => `${one.peerUrls.includes(request.peerUrl) ? request.name : one.name}=${url}`),
  );
  return { clusterId: after.clusterId, members: all.join(','), promoted: false, known: true };
}

async function handOn(request: EnterRequest, { server, calls }: EnteringDeps): Promise<EnterAnswer> {
  const { name } = request;
  if (request.handedOn) throw new AppError('noLeader', 'another server leads');
  const leader = server()
    ?.quorum.members()
    .servers.find(({ Leader, Node }) => Leader && Node !== name);
  if (!leader) {
    throw new AppError('noLeader', `the member that ${name} was is taken out by the server that leads, and none does`);
  }
  const url = `${calls.scheme}://${leader.Address}${ENTER_PATH}`;
  const { status, text } = await calls.call('PUT', url, { ...request, handedOn: true }, HAND_ON_MS);
  if (status === 200) return JSON.parse(text) as EnterAnswer;
  throw new AppError('unavailable', `${leader.Node}, which leads: ${text.slice(0, 500)}`);
}

/** A server that comes with its data from another address than before. */
async function moved(request: EnterRequest, before: Membership, deps: EnteringDeps): Promise<EnterAnswer> {
  const old = before.members.find(({ name }) => name === request.name);
  if (old) {
    await refuseAlive(request, old, deps);
    await deps.members.move(old.id, request.peerUrl);
  }
  return { clusterId: before.clusterId, members: '', promoted: false, known: old !== undefined };
}

async function refuseAlive(request: EnterRequest, old: Member, { calls }: EnteringDeps): Promise<void> {
  for (const url of old.peerUrls) {
    if (!(await calls.isAlive(url))) continue;
    const both = `${request.name} at ${request.peerUrl} and ${old.name} at ${url}`;
    throw new AppError('badRequest', `two servers want one place among the members: ${both}; the latter is alive`);
  }
}

/** A server that comes without data under the name or address of a member has lost its disk: that member is no more. */
async function removeOld(request: EnterRequest, old: readonly Member[], deps: EnteringDeps): Promise<void> {
  const { members, calls, log, server } = deps;
  for (const dead of old) {
    await refuseAlive(request, dead, deps);
    const rest = (await members.list()).members.filter(({ id }) => id !== dead.id);
    const refused = removalRefusal(await votersOf(rest, calls), dead);
    if (refused !== undefined) throw new AppError('unavailable', refused);
    if (!server()?.leads()) throw new AppError('noLeader', 'another server leads');
    await members.remove(dead.id);
    log.warn('a server has come without its data, and enters anew', { server: request.name, was: dead.id });
  }
}

function memberOf({ members }: Membership, { name, peerUrl }: EnterRequest): Member | undefined {
  return members.find((one) => one.peerUrls.includes(peerUrl) && (one.name === '' || one.name === name));
}

const PEER_URL = {
  http: /^http:\/\/[0-9A-Fa-f:.[\]]{3,60}:\d{1,5}$/,
  https: /^https:\/\/[0-9A-Fa-f:.[\]]{3,60}:\d{1,5}$/,
};

function enterRequestOf(body: Buffer, scheme: JsonCalls['scheme']): EnterRequest {
  const value = objectOf(body);
  const peerUrl = textOf(value, 'peerUrl', PEER_URL[scheme]);
  const name = textOf(value, 'name', NAME);
  return { name, peerUrl, started: value.started === true, handedOn: value.handedOn === true };
}
