import type { LabelledCounter, Metrics } from '../../core/metrics.ts';

/** Counts answers by method, route and status; each combination is looked up in the metric once. */
export class AnswerCounts {
  readonly #requests: LabelledCounter;
  readonly #byMethod = new Map<string, Map<string, Map<number, () => void>>>();

  constructor({ metrics }: { readonly metrics: Pick<Metrics, 'counter'> }) {
    this.#requests = metrics.counter({
      name: 'lictor_http_requests_total',
      help: 'HTTP requests answered, by method, route and status',
      labels: ['method', 'route', 'status'],
    });
  }

  count(method: string, route: string, status: number): void {
    this.bound(method, route, status)();
  }

  /** What counts one such answer. */
  bound(method: string, route: string, status: number): () => void {
    const statuses = inner(inner(this.#byMethod, method), route);
    let count = statuses.get(status);
    if (!count) {
      count = this.#requests.bound({ method, route, status });
      statuses.set(status, count);
    }
    return count;
  }
}

function inner<K, V>(maps: Map<string, Map<K, V>>, key: string): Map<K, V> {
  let found = maps.get(key);
  if (!found) {
    found = new Map();
    maps.set(key, found);
  }
  return found;
}
