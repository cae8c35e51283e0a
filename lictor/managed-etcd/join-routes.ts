import type { Route } from '../../api/http/route.ts';
import { AppError } from '../../core/errors.ts';
import type { Formation } from './formation.ts';
import { MAX_SERVERS, type ServerCard } from './known-servers.ts';

/** Where servers ask each other who they are; the asker tells who it is. */
export const HELLO_PATH = '/v1/internal/etcd/hello';
export interface JoinRouteDeps {
  readonly formation: Formation;
  /** What this server says of itself, once it cannot forget it. */
  readonly told: () => Promise<ServerCard>;
}

/** What servers ask each other to form a cluster, on the servers' own port. */
export function joinRoutes(deps: JoinRouteDeps): Route[] {
  return [
    {
      method: 'PUT',
      path: HELLO_PATH,
      handle: async ({ body }) => {
        deps.formation.asked(cardOf(body));
        return { json: await deps.told() };
      },
    },
  ];
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
    const id = peer.id === undefined ? {} : { id: textOf(peer, 'id', /^[!-~]{0,300}$/) };
    return { name: textOf(peer, 'name', NAME), address: textOf(peer, 'address'), ...id };
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
