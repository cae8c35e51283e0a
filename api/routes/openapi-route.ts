import type { Route, RouteResponse } from '../http/route.ts';

/**
 * GET /v1/openapi.json: the description of the whole API. It is loaded when it is asked for first, so that an agent whom
 * nobody asks has nothing of it in memory.
 */
export function openApiRoute(options: { readonly version: string }): Route {
  let answer: Promise<RouteResponse> | undefined;
  return {
    method: 'GET',
    path: '/v1/openapi.json',
    handle: () => {
      answer ??= describe(options).catch((error: unknown) => {
        // The next one who asks tries again.
        answer = undefined;
        throw error;
      });
      return answer;
    },
  };
}

async function describe(options: { readonly version: string }): Promise<RouteResponse> {
  const { openApiDocument } = await import('../openapi/document.ts');
  return {
    bytes: Buffer.from(JSON.stringify(openApiDocument(options))),
    headers: { 'content-type': 'application/json' },
  };
}
