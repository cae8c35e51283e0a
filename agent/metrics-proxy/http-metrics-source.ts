import type { Readable } from 'node:stream';
import type { MetricsSource } from '../../api/routes/metrics-proxy-route.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { MetricsProxyConfig } from '../config/metrics-proxy.ts';

/** What answers have to begin within, and how long they may be silent. */
const DEADLINE_MS = 30_000;
const DEFAULT_TYPE = 'application/octet-stream';

/** Asks the configured server. Of the client's request nothing but path and query goes there; redirects are not followed. */
export class HttpMetricsSource implements MetricsSource {
  readonly pathAllowlist: readonly string[];
  readonly #base: URL;
  readonly #headers: Record<string, string>;

  constructor(config: MetricsProxyConfig) {
    this.#base = new URL(config.baseUrl);
    this.#headers = { ...config.headers };
    this.pathAllowlist = config.pathAllowlist;
  }

  async get(
    path: string,
    query: string,
    signal: AbortSignal,
  ): Promise<{ status: number; contentType: string; body: Readable }> {
    // Not loaded before somebody looks at metrics.
    const { request } = await import('undici');
    const { origin, pathname } = this.#base;
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    try {
      const { statusCode, headers, body } = await request(
        `${origin}${pathname.replace(/\/$/, '')}${encoded}${query === '' ? '' : `?${query}`}`,
        { headers: this.#headers, headersTimeout: DEADLINE_MS, bodyTimeout: DEADLINE_MS, signal },
      );
      const type = headers['content-type'];
      return { status: statusCode, contentType: typeof type === 'string' ? type : DEFAULT_TYPE, body };
    } catch (cause) {
      const late = (cause as { code?: unknown }).code === 'UND_ERR_HEADERS_TIMEOUT';
      if (late) throw new AppError('deadline', `${origin} did not answer within ${DEADLINE_MS} ms`, { cause });
      throw new AppError('unavailable', `${origin} cannot be reached: ${errorText(cause)}`, { cause });
    }
  }
}
