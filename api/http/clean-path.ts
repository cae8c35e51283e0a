import type { RouteResponse } from './route.ts';

/**
 * To a decoded path with `//`, `.` or `..`: where the path without them is, as Go's servers answer before they look for a
 * route; undefined for any other path. `search` is the query in its encoded form, without the question mark.
 */
export function uncleanPath(path: string, search: string): RouteResponse | undefined {
  if (!/\/\/|\/\.\.?(\/|$)/.test(path)) return undefined;
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(encodeURIComponent(part));
  }
  const slash = path.endsWith('/') && parts.length > 0 ? '/' : '';
  const location = `/${parts.join('/')}${slash}${search === '' ? '' : `?${search}`}`;
  return { status: 307, headers: { location } };
}
