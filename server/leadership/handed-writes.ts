import { decodeBody, list, map, object, STRING } from '../../api/decode.ts';
import { endToEnd } from '../../api/http/forwarding.ts';
import { errorResponse } from '../../api/http/respond.ts';
import { doesNotWait, type Route, type RouteRequest, type RouteResponse } from '../../api/http/route.ts';
import { AppError, errorRow } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';

/** Where a leader takes several writes in one request; on the servers' own port only. */
export const HANDED_WRITES_PATH = '/v1/internal/handed-writes';
/** Marks a request that another server has handed on: it is not handed on again. */
export const FORWARDED_HEADER = 'x-lictor-forwarded-by';

/** Of one request at most. */
export const MAX_HANDED_WRITES = 64;
/** Path, query, headers and body of a write that goes together with others. As JSON text they may take six times that. */
const MAX_WRITE_CHARACTERS = 2048;

/** What can go together: writes that take no longer than a commit and are answered with JSON or a text. */
const TOGETHER: ReadonlySet<string> = new Set(['/v1/catalog/register', '/v1/catalog/deregister']);

interface HandedWrite {
  readonly Path: string;
  readonly Query: string;
  readonly Headers: Record<string, string>;
  /** Bodies are JSON, so they are read as UTF-8 in any case. */
  readonly Body: string;
}

const WRITES = list(object({ Path: STRING, Query: STRING, Headers: map(STRING), Body: STRING }));

/** Whether the request can be handed on together with others. */
export function goesTogether(request: RouteRequest): boolean {
  if (request.method !== 'PUT' || !TOGETHER.has(request.path)) return false;
  let size = request.body.length + request.query.toString().length;
  for (const name in request.headers) size += name.length + String(request.headers[name]).length;
  return size <= MAX_WRITE_CHARACTERS;
}

/** The body that carries these requests. */
export function encodeWrites(requests: readonly RouteRequest[]): string {
  const writes = requests.map(
    (request): HandedWrite => ({
      Path: request.path,
      Query: request.query.toString(),
      Headers: endToEnd(request.headers),
      Body: request.body.toString(),
    }),
  );
  return JSON.stringify(writes);
}

/** The answers to `count` writes, in their order. @throws AppError `internal` for anything else. */
export function decodeAnswers(text: string, count: number): RouteResponse[] {
  const answers: unknown = JSON.parse(text);
  if (!Array.isArray(answers) || answers.length !== count) {
    throw new AppError('internal', `the leader did not answer ${count} writes`);
  }
  return answers as RouteResponse[];
}

/** Takes several writes at once and answers all of them, each as its own route does. */
export function handedWritesRoute(deps: { readonly log: Logger }, routes: readonly Route[]): Route {
  const byPath = new Map(routes.flatMap((one) => (TOGETHER.has(one.path) ? [[one.path, one]] : [])));
  return {
    method: 'PUT',
    path: HANDED_WRITES_PATH,
    handle: async (request) => {
      const writes = (decodeBody(WRITES, request.body) ?? []) as Partial<HandedWrite>[];
      if (writes.length > MAX_HANDED_WRITES) {
        throw new AppError('badRequest', `at most ${MAX_HANDED_WRITES} writes go together, not ${writes.length}`);
      }
      const answers = writes.map(async (write) => {
        try {
          return await answerTo(write, request, byPath);
        } catch (error) {
          if (errorRow(error) === errorRow(undefined))
            deps.log.error('a request failed', { route: write.Path, err: error });
          return errorResponse(error);
        }
      });
      return { json: await Promise.all(answers) };
    },
  };
}

async function answerTo(
  { Path = '', Query = '', Headers = {}, Body = '' }: Partial<HandedWrite>,
  together: RouteRequest,
  routes: ReadonlyMap<string, Route>,
): Promise<RouteResponse> {
  const route = routes.get(Path);
  if (!route) throw new AppError('badRequest', `${JSON.stringify(Path)} does not go together with others`);
  const { status, headers, json, text } = await route.handle({
    method: route.method,
    path: Path,
    params: {},
    query: new URLSearchParams(Query),
    headers: { ...Headers, [FORWARDED_HEADER]: together.headers[FORWARDED_HEADER] ?? '' },
    body: Buffer.from(Body),
    remoteAddress: together.remoteAddress,
    signal: together.signal,
    hold: doesNotWait,
  });
  return { status, headers, json, text };
}
