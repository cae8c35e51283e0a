import { AGENT_HEADER } from '../../api/routes/asking-agent.ts';
import { DEFAULT_NAMESPACE, type HealthEntry, type Node } from '../../api/shapes/catalog.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { errorOf, readText, type ServerPool } from '../server-pool/server-pool.ts';
import type { CatalogSource, Indexed } from './catalog-source.ts';

/** How long a question stays open, and what is added for the servers' jitter and the network. */
const WAIT_MS = 60_000;
const BLOCKING_DEADLINE_MS = 75_000;
/** A first question: somebody waits for its answer. */
const FIRST_DEADLINE_MS = 3000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** The servers' HTTP API as the local view uses it. */
export class HttpCatalogSource implements CatalogSource {
  readonly #pool: Pick<ServerPool, 'request'>;
  readonly #nodeName: string;

  constructor(deps: { pool: Pick<ServerPool, 'request'> }, options: { nodeName: string }) {
    this.#pool = deps.pool;
    this.#nodeName = options.nodeName;
  }

  async service(
    namespace: string,
    name: string,
    index: number,
    signal: AbortSignal,
  ): Promise<Indexed<readonly HealthEntry[]>> {
    const ns = namespace === DEFAULT_NAMESPACE ? '' : `ns=${encodeURIComponent(namespace)}`;
    const answer = await this.#get<HealthEntry[]>(`/v1/health/service/${encodeURIComponent(name)}`, ns, index, signal);
    if (!Array.isArray(answer.value)) throw new AppError('unavailable', 'a server answered with another form');
    return answer;
  }

  async node(name: string, index: number, signal: AbortSignal): Promise<Indexed<Node | undefined>> {
    const path = `/v1/catalog/node/${encodeURIComponent(name)}`;
    const answer = await this.#get<{ Node: Node } | null>(path, '', index, signal);
    return { value: answer.value?.Node, index: answer.index };
  }

  async dnsLookup<T>(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<T | null> {
    const text = new URLSearchParams(query).toString();
    return (await this.#get<T | null>(`/v1/internal/dns/${path}`, text, 0, signal)).value;
  }

  async #get<T>(path: string, query: string, index: number, signal: AbortSignal): Promise<Indexed<T>> {
    const blocking = index > 0 ? `index=${index}&wait=${WAIT_MS}ms` : '';
    const all = [query, blocking].filter((part) => part !== '').join('&');
    const response = await this.#pool.request({
      method: 'GET',
      path: all === '' ? path : `${path}?${all}`,
      headers: { [AGENT_HEADER]: encodeURIComponent(this.#nodeName) },
      deadlineMs: index > 0 ? BLOCKING_DEADLINE_MS : FIRST_DEADLINE_MS,
      signal,
    });
    if (response.statusCode !== 200) throw await errorOf(response);
    const text = await readText(response, MAX_ANSWER_BYTES);
    const next = Number(response.headers['x-consul-index']);
    try {
      return { value: JSON.parse(text) as T, index: Number.isSafeInteger(next) ? next : 0 };
    } catch (error) {
      throw new AppError('unavailable', `a server's answer is not JSON: ${errorText(error)}`, { cause: error });
    }
  }
}
