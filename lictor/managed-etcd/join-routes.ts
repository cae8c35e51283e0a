import type { Route } from '../../api/http/route.ts';
import { AppError } from '../../core/errors.ts';
import type { InTurn } from '../../core/in-turn.ts';
import type { Formation } from './formation.ts';
import { MAX_SERVERS, type ServerCard } from './known-servers.ts';
import type { EtcdMembers, Member, Membership } from './members.ts';

/** Where servers ask each other who they are; the asker tells who it is. */
export const HELLO_PATH = '/v1/internal/etcd/hello';
/** Where a server asks to be let into the cluster, again and again until it is a full member. */
export const ENTER_PATH = '/v1/internal/etcd/enter';

/** A server that asks to be let in. */
export interface EnterRequest {
  readonly name: string;
  readonly peerUrl: string;
  /** Whether its etcd has begun with what an earlier answer said. */
  readonly started: boolean;
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

export interface JoinRouteDeps {
  readonly formation: Formation;
  /** What this server says of itself, once it cannot forget it. */
  readonly told: () => Promise<ServerCard>;
  readonly members: EtcdMembers;
  /** Of the members' peer URLs. */
  readonly scheme: 'http' | 'https';
  /** Changes of the members, one after the other: each looks at the list first. */
  readonly membership: InTurn;
  /** Whether a member's peer port answers. */
  readonly isAlive: (peerUrl: string) => Promise<boolean>;
}

/** What servers ask each other to form a cluster, on the servers' own port. */
export function joinRoutes(deps: JoinRouteDeps): Route[] {
  return [
    {
      method: 'PUT',
      path: HELLO_PATH,
      handle: async ({ body }) => {
        deps.formation.heard(cardOf(body));
        return { json: await deps.told() };
      },
    },
    {
      method: 'PUT',
      path: ENTER_PATH,
      handle: async ({ body }) => {
        const request = enterRequestOf(body, deps.scheme);
        if (deps.formation.card().state !== 'formed') {
          throw new AppError('unavailable', `${deps.formation.card().name} is in no cluster itself`);
        }
        return { json: await deps.membership.run(() => enter(request, deps)) };
      },
    },
  ];
}

async function enter(request: EnterRequest, deps: JoinRouteDeps): Promise<EnterAnswer> {
  const { members } = deps;
  const before = await members.list();
  const found = before.members.find((one) => one.peerUrls.includes(request.peerUrl) && isOf(one, request.name));
  if (found && request.started) {
    if (found.learner) await members.promote(found.id);
    return { clusterId: before.clusterId, members: '', promoted: true, known: true };
  }
  // It is not added here: without a member of its name it has data of one that was taken out.
  if (request.started) return moved(request, before, deps);
  // One that was added and has never started begins as it was told before.
  if (!(found && found.name === '')) {
    await removeOld(request, before.members, deps);
    await members.addLearner(request.peerUrl);
  }
  const after = await members.list();
  const all = after.members.flatMap((one) =>
    one.peerUrls.map((url) => `${one.peerUrls.includes(request.peerUrl) ? request.name : one.name}=${url}`),
  );
  return { clusterId: after.clusterId, members: all.join(','), promoted: false, known: true };
}

/** A server that comes with its data from another address than before. */
async function moved(request: EnterRequest, before: Membership, deps: JoinRouteDeps): Promise<EnterAnswer> {
  const old = before.members.find(({ name }) => name === request.name);
  if (old) {
    await refuseAlive(request, old, deps);
    await deps.members.move(old.id, request.peerUrl);
  }
  return { clusterId: before.clusterId, members: '', promoted: false, known: old !== undefined };
}

async function refuseAlive(request: EnterRequest, old: Member, deps: JoinRouteDeps): Promise<void> {
  for (const url of old.peerUrls) {
    if (!(await deps.isAlive(url))) continue;
    const both = `${request.name} at ${request.peerUrl} and ${old.name} at ${url}`;
    throw new AppError('badRequest', `two servers want one place among the members: ${both}; the latter is alive`);
  }
}

/** A server that comes without data under the name or address of a member has lost its disk: that member is no more. */
async function removeOld(request: EnterRequest, known: readonly Member[], deps: JoinRouteDeps): Promise<void> {
  for (const old of known) {
    if (old.name !== request.name && !old.peerUrls.includes(request.peerUrl)) continue;
    await refuseAlive(request, old, deps);
    await deps.members.remove(old.id);
  }
}

function isOf(member: Member, name: string): boolean {
  return member.name === '' || member.name === name;
}

/** @throws AppError `badRequest`. */
export function objectOf(body: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch (cause) {
    throw new AppError('badRequest', 'the body must be JSON', { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new AppError('badRequest', 'the body must be a JSON object');
}

/** A field of a body. @throws AppError `badRequest`. */
export function textOf(value: Record<string, unknown>, field: string, pattern = /^[!-~]{1,300}$/): string {
  const text = value[field];
  if (typeof text === 'string' && pattern.test(text)) return text;
  throw new AppError('badRequest', `${field} must be a text that fits ${pattern}`);
}

/** Etcd separates members by commas and names from URLs by an equals sign. */
export const NAME = /^[!-+.0-<>-~-]{1,253}$/;

/** @throws AppError `badRequest`. */
export function cardOf(body: Buffer): ServerCard {
  const value = objectOf(body);
  const { expect, knows, state } = value;
  if (!Number.isSafeInteger(expect) || (expect as number) < 0)
    throw new AppError('badRequest', 'expect must be a count');
  if (state !== 'waiting' && state !== 'bootstrapping' && state !== 'formed') {
    throw new AppError('badRequest', 'state must be waiting, bootstrapping or formed');
  }
  if (!Array.isArray(knows) || knows.length > MAX_SERVERS) {
    throw new AppError('badRequest', `knows must be up to ${MAX_SERVERS} servers`);
  }
  const peers = knows.map((one) => {
    const peer = objectOf(Buffer.from(JSON.stringify(one ?? null)));
    return { name: textOf(peer, 'name', NAME), address: textOf(peer, 'address') };
  });
  return {
    name: textOf(value, 'name', NAME),
    id: textOf(value, 'id'),
    address: textOf(value, 'address'),
    datacenter: textOf(value, 'datacenter'),
    clusterId: textOf(value, 'clusterId', /^\d{0,20}$/),
    expect: expect as number,
    state,
    knows: peers,
  };
}

const PEER_URL = {
  http: /^http:\/\/[0-9A-Fa-f:.[\]]{3,60}:\d{1,5}$/,
  https: /^https:\/\/[0-9A-Fa-f:.[\]]{3,60}:\d{1,5}$/,
};

function enterRequestOf(body: Buffer, scheme: JoinRouteDeps['scheme']): EnterRequest {
  const value = objectOf(body);
  const peerUrl = textOf(value, 'peerUrl', PEER_URL[scheme]);
  return { name: textOf(value, 'name', NAME), peerUrl, started: value.started === true };
}
