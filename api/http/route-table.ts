import type { Route } from './route.ts';

/** All methods of one path. */
export interface MountedPath {
  /** The path in the form of fastify's router: the last parameter takes the rest of the URL. */
  readonly pattern: string;
  /** As the routes gave it, for metrics. */
  readonly path: string;
  /** The name under which the rest of the URL is handed over; undefined when the path ends in a fixed part. */
  readonly restName: string | undefined;
  readonly methods: ReadonlyMap<string, Route>;
  /** The Allow header, in the order GET, PUT, POST, DELETE. */
  readonly allow: string;
  readonly streamsBody: boolean;
}

const METHOD_ORDER = ['GET', 'PUT', 'POST', 'DELETE'] as const;

/**
 * Groups routes by path. A trailing `:name` (or `*`) takes the whole rest of the URL, which may be empty or hold slashes,
 * as Consul's prefix handlers do: the route says what is missing.
 */
export function mountPaths(routes: readonly Route[]): MountedPath[] {
  const byPath = new Map<string, Map<string, Route>>();
  for (const route of routes) {
    const methods = byPath.get(route.path) ?? new Map<string, Route>();
    if (methods.has(route.method)) throw new Error(`two routes for ${route.method} ${route.path}`);
    methods.set(route.method, route);
    byPath.set(route.path, methods);
  }
  return [...byPath].map(([path, methods]) => {
    const rest = /\/(?::([^/]+)|\*)$/.exec(path);
    return {
      path,
      pattern: rest ? `${path.slice(0, rest.index)}/*` : path,
      restName: rest ? (rest[1] ?? '*') : undefined,
      methods,
      streamsBody: [...methods.values()].some((route) => route.streamsBody),
      allow: ['OPTIONS', ...METHOD_ORDER.filter((method) => methods.has(method))].join(','),
    };
  });
}

/** Paths without the slash before their rest, which Consul redirects to the path with it. */
export function redirectsOf(paths: readonly MountedPath[]): string[] {
  const taken = new Set(paths.map((path) => path.pattern));
  return paths
    .filter((path) => path.restName !== undefined)
    .map((path) => path.pattern.slice(0, -2))
    .filter((path) => path !== '' && !path.includes(':') && !taken.has(path));
}
