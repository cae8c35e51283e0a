import { AppError } from '../../core/errors.ts';
import { configError } from './config-text.ts';
import type { Declared } from './declared.ts';

/** Where the metrics of the user interface come from. */
export interface MetricsProxyConfig {
  /** http or https, perhaps with a path. */
  readonly baseUrl: string;
  /** Sent with each request, by name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** What may be asked below the base URL; anything when it is empty. */
  readonly pathAllowlist: readonly string[];
}

const KEY = 'ui_config.metrics_proxy';
/** What Consul's interface asks of Prometheus. */
const PROMETHEUS_PATHS = ['/api/v1/query', '/api/v1/query_range'];

/** undefined when there is no proxy. @throws AppError `config` naming the key and what would be right. */
export function metricsProxy(given: {
  readonly provider: string;
  readonly baseUrl: string;
  readonly addHeaders: readonly Declared[];
  readonly pathAllowlist: readonly string[];
}): MetricsProxyConfig | undefined {
  if (given.baseUrl === '') return undefined;
  checkUrl(given.baseUrl);
  for (const [at, path] of given.pathAllowlist.entries()) {
    if (!path.startsWith('/')) throw wrong(`path_allowlist[${at}]`, `${JSON.stringify(path)} must begin with a slash`);
  }
  const { provider, pathAllowlist } = given;
  const byDefault = provider === 'prometheus' ? PROMETHEUS_PATHS : [];
  return {
    baseUrl: given.baseUrl,
    headers: Object.fromEntries(given.addHeaders.map(addedHeader)),
    pathAllowlist: pathAllowlist.length > 0 ? pathAllowlist : byDefault,
  };
}

function checkUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.search !== '' || url.hash !== '') {
    throw wrong('base_url', `${JSON.stringify(text)} must be a URL of http or https, without a query`);
  }
  if (url.username !== '' || url.password !== '') {
    throw wrong('base_url', 'must not hold a user name or password; give the header with add_headers');
  }
}

function addedHeader(given: Declared): [name: string, value: string] {
  const fields = new Map(Object.entries(given.value).map(([key, value]) => [key.toLowerCase(), value as unknown]));
  const [name, value] = [fields.get('name'), fields.get('value')];
  if (typeof name !== 'string' || !/^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name)) {
    throw configError(given.file, `${given.key}.name`, 'must be the name of a header');
  }
  if (typeof value !== 'string' || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
    throw configError(given.file, `${given.key}.value`, 'must be the value of a header, in one line');
  }
  return [name.toLowerCase(), value];
}

function wrong(key: string, text: string): AppError {
  return new AppError('config', `${KEY}.${key}: ${text}`);
}
