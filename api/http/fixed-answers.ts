import { uncleanPath } from './clean-path.ts';
import { decodedPath, isPrintablePath } from './request.ts';
import type { RouteResponse } from './route.ts';

const UI_DISABLED =
  'Consul Agent: UI disabled. To enable, set ui_config.enabled=true in the agent configuration and restart.';
const UNKNOWN_V1 = 'Invalid URL path: not a recognized HTTP API endpoint';
const UNKNOWN = "Invalid URL path: if attempting to use the HTTP API, ensure the path starts with '/v1/'";

/** What is answered to a URL that no route has. */
export function notFound(url: string): RouteResponse {
  if (!isPrintablePath(url)) return { status: 400 };
  const [path] = url.split('?', 1);
  const clean = uncleanPath(decodedPath(url) ?? '', url.slice(path!.length + 1));
  if (clean) return clean;
  if (url === '/' || url.startsWith('/?')) return { text: UI_DISABLED };
  return { status: 404, text: url.startsWith('/v1/') ? UNKNOWN_V1 : UNKNOWN };
}

/** What the operator's policy refuses. */
export function forbidden(text: string): RouteResponse {
  return { status: 403, text, headers: { 'x-lictor-error': 'permissionDenied' } };
}

/** To a method that the path does not have; `allow` are those that it has. */
export function otherMethod(method: string, allow: string): RouteResponse {
  // Consul sends its JSON media type with the empty answer to OPTIONS.
  if (method === 'OPTIONS') return { headers: { allow, 'content-type': 'application/json' } };
  return { status: 405, headers: { allow }, text: `method ${method} not allowed` };
}
