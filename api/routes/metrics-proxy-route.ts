import type { Readable } from 'node:stream';
import { ERROR_CODE_HEADER } from '../http/respond.ts';
import type { Route, RouteResponse } from '../http/route.ts';

/** Where the user interface's metrics come from (Consul configuration, ui_config.metrics_proxy). */
export interface MetricsSource {
  /** The paths that may be asked for, exactly; any path when it is empty. */
  readonly pathAllowlist: readonly string[];
  /**
   * `path` begins with a slash and is decoded; `query` is encoded, without `?`.
   * @throws AppError `unavailable` or `deadline`.
   */
  get(
    path: string,
    query: string,
    signal: AbortSignal,
  ): Promise<{ status: number; contentType: string; body: Readable }>;
}

/** GET /v1/internal/ui/metrics-proxy/…: what is asked below it is asked of the configured place. */
export function metricsProxyRoute(source: MetricsSource | undefined): Route {
  return {
    method: 'GET',
    path: '/v1/internal/ui/metrics-proxy/*',
    async handle({ params, query, signal }) {
      if (!source)
        return failed(404, 'notFound', 'metrics proxy is not enabled: give ui_config.metrics_proxy.base_url');
      const path = `/${params['*'] ?? ''}`;
      if (source.pathAllowlist.length > 0 && !source.pathAllowlist.includes(path)) {
        return failed(403, 'permissionDenied', `${path} is not in ui_config.metrics_proxy.path_allowlist`);
      }
      // Servers and proxies on the way may take these as steps out of the base URL.
      if (path.split(/[/\\]/).some((part) => part === '.' || part === '..')) {
        return failed(400, 'badRequest', 'the path must not contain . or .. as a part');
      }
      const { status, contentType, body } = await source.get(path, query.toString(), signal);
      return { status, headers: { 'content-type': contentType }, stream: body };
    },
  };
}

function failed(status: number, code: string, text: string): RouteResponse {
  return { status, text, headers: { [ERROR_CODE_HEADER]: code } };
}
