import { Readable } from 'node:stream';
import { AppError } from '../../core/errors.ts';
import type { Route } from '../http/route.ts';
import { decodeOwnerState } from '../shapes/decode-registration.ts';
import type { OwnedEvent } from '../shapes/owned.ts';
import type { OwnerBackend } from './catalog-backend.ts';

/** GET and PUT /v1/owner/:kind/:name, GET /v1/stream/owned. */
export function ownerRoutes(backend: OwnerBackend): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/owner/:kind/:name',
      handle: ({ params }) => ({ json: backend.ownerState(ownerOf(params)) }),
    },
    {
      method: 'PUT',
      path: '/v1/owner/:kind/:name',
      async handle({ params, body }) {
        const owner = ownerOf(params);
        const state = decodeOwnerState(body);
        if (state.Owner !== '' && state.Owner !== owner) {
          throw new AppError(
            'badRequest',
            `Owner ${JSON.stringify(state.Owner)} is not the one of the path (${owner})`,
          );
        }
        await backend.claimEpoch({ Owner: owner, Epoch: state.Epoch });
        return { json: { Owner: owner, Epoch: state.Epoch } };
      },
    },
    {
      method: 'GET',
      path: '/v1/stream/owned',
      async handle({ query, signal }) {
        const owner = query.get('owner') ?? '';
        if (owner === '') throw new AppError('badRequest', 'Missing ?owner=<kind>/<name>');
        const events = backend.followOwned(owner, signal)[Symbol.asyncIterator]();
        // What refuses the stream has to become a status, so the first event comes before the headers.
        const first = await events.next();
        return {
          headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' },
          stream: Readable.from(lines(first, events), { objectMode: false }),
        };
      },
    },
  ];
}

/** Lines of events that many streams share are made once. */
const LINES = new WeakMap<OwnedEvent, Buffer>();

/** A cut-off follower sees its connection end without a proper end of the body. */
async function* lines(first: IteratorResult<OwnedEvent>, events: AsyncIterator<OwnedEvent>): AsyncGenerator<Buffer> {
  try {
    for (let result = first; !result.done; result = await events.next()) yield lineOf(result.value);
  } finally {
    await events.return?.();
  }
}

function lineOf(event: OwnedEvent): Buffer {
  let line = LINES.get(event);
  if (!line) {
    line = Buffer.from(`${JSON.stringify(event)}\n`);
    LINES.set(event, line);
  }
  return line;
}

function ownerOf(params: Readonly<Record<string, string>>): string {
  const owner = `${params.kind}/${params.name}`;
  if (!params.kind || !params.name) throw new AppError('badRequest', 'Missing owner: want /v1/owner/<kind>/<name>');
  return owner;
}
