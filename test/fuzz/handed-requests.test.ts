import fc from 'fast-check';
import type { RouteRequest } from '../../api/http/route.ts';
import { AppError } from '../../core/errors.ts';
import { LengthFrames } from '../../core/length-frames.ts';
import {
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeLast,
  encodeRequest,
  MAX_REQUEST_BYTES,
} from '../../server/leadership/handed-requests.ts';
import { routeRequest } from '../support/route-request.ts';

/**
 * What servers hand on to the one that leads, as it is, cut anywhere, and mutated. The law: what was sent, or an AppError;
 * never another error. FUZZ_RUNS sets how many.
 */
const RUNS = Number(process.env.FUZZ_RUNS ?? 2_000);

const ROUTE = { path: '/v1/kv/*' };

function requestOf(key: string, value: string, body: Uint8Array): RouteRequest {
  return routeRequest('PUT', `/v1/kv/${key}`, {
    params: { '*': key },
    query: new URLSearchParams({ cas: value }),
    headers: { 'x-consul-token': value },
    body: Buffer.from(body),
  });
}

const REQUESTS = fc.array(
  fc.tuple(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), fc.uint8Array({ maxLength: 200 })),
  { maxLength: 6 },
);

/** The bytes in pieces of any size. */
function inPieces(bytes: Buffer, sizes: readonly number[], push: (chunk: Buffer) => void): void {
  let at = 0;
  for (const size of sizes) {
    push(bytes.subarray(at, at + size));
    at += size;
  }
  if (at < bytes.length) push(bytes.subarray(at));
}

const SIZES = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 30 });

describe('frames between servers', () => {
  it('bring requests as they were sent, however their bytes come', () => {
    fc.assert(
      fc.property(REQUESTS, SIZES, (all, sizes) => {
        const requests = all.map((one) => requestOf(...one));
        const bytes = Buffer.concat(requests.map((one, at) => encodeRequest(at + 1, ROUTE, one, 'me')));
        const got: unknown[] = [];
        const frames = new LengthFrames({ maxBytes: MAX_REQUEST_BYTES }, (frame) => got.push(decodeRequest(frame)));
        inPieces(bytes, sizes, (chunk) => frames.push(chunk));
        expect(got).toEqual(
          requests.map(({ method, path, params, query, headers, body }, at) => ({
            id: at + 1,
            method,
            route: ROUTE.path,
            path,
            params,
            query: query.toString(),
            headers: { ...headers, 'x-lictor-forwarded-by': 'me' },
            body,
          })),
        );
      }),
      { numRuns: RUNS },
    );
  });

  it('are refused by name when they are broken', () => {
    const valid = [
      encodeRequest(1, ROUTE, requestOf('a', 'b', Buffer.from('body')), 'me'),
      encodeAnswer(2, { json: { a: 1 }, status: 200, headers: { a: 'b' }, meta: { index: 1 } }),
      encodeAnswer(3, undefined),
      encodeLast(),
    ];
    const change = fc.record({ at: fc.nat(), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.nat(3), fc.array(change, { maxLength: 5 }), SIZES, fc.boolean(), (which, changes, sizes, asks) => {
        const bytes = Buffer.from(valid[which]!);
        for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
        const decode = asks ? decodeRequest : decodeAnswer;
        const frames = new LengthFrames({ maxBytes: 4096 }, (frame) => void decode(frame));
        try {
          inPieces(bytes, sizes, (chunk) => frames.push(chunk));
        } catch (error) {
          if (!(error instanceof AppError) || error.code === 'internal') throw error;
        }
      }),
      { numRuns: RUNS * 5 },
    );
  });
});
