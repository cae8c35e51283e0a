import type { AddressOwner, QueryResult } from '../../api/routes/dns-lookup-routes.ts';
import { DEFAULT_NAMESPACE, type HealthEntry, type Node } from '../../api/shapes/catalog.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { RunContext, Runnable } from '../../core/lifecycle.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import type { CatalogSource, Indexed } from './catalog-source.ts';
import { FollowedQuery } from './followed-query.ts';

export interface LocalViewDeps {
  readonly source: CatalogSource;
  readonly clock: Clock;
  readonly random: Pick<Random, 'next'>;
  readonly metrics: Metrics;
}

export interface LocalViewOptions {
  /** Names followed at a time; each holds one connection to a server. */
  readonly maxFollowed?: number;
  /** A name that nobody has asked for this long is followed no more. */
  readonly idleMs?: number;
}

/** The service under which servers are listed (Consul's name). */
const SERVER_SERVICE = 'consul';
const SWEEP_MS = 30_000;
const CONTACT_RETRY_MS = 1000;

type Answer = readonly HealthEntry[] | Node | undefined;

/**
 * The catalog as a client agent answers DNS from it: a name asked for once is followed from then on, so that further
 * lookups are answered from memory, also with all servers away. What does not exist is not followed: made-up names
 * must not push out real ones.
 */
export class LocalView implements Runnable {
  readonly name = 'local-view';
  readonly #deps: LocalViewDeps;
  readonly #maxFollowed: number;
  readonly #idleMs: number;
  /** In order of use, the longest unused first. */
  readonly #followed = new Map<string, FollowedQuery<Answer>>();
  readonly #asking = new Map<string, Promise<Answer>>();
  readonly #stop = new AbortController();
  #synced = false;

  constructor(deps: LocalViewDeps, options: LocalViewOptions = {}) {
    this.#deps = deps;
    this.#maxFollowed = options.maxFollowed ?? 100;
    this.#idleMs = options.idleMs ?? 600_000;
    deps.metrics.observedGauge(
      { name: 'lictor_agent_view_followed', help: 'Names that the local view follows' },
      () => this.#followed.size,
    );
  }

  /** False until a server has answered for the first time. */
  synced(): boolean {
    return this.#synced;
  }

  /** All instances with their checks. @throws AppError when it is not known yet and no server answers. */
  async service(namespace: string, name: string): Promise<{ found: boolean; entries: readonly HealthEntry[] }> {
    const ask = (index: number, signal: AbortSignal) => this.#deps.source.service(namespace, name, index, signal);
    const entries = (await this.#lookup(`service ${namespace}/${name.toLowerCase()}`, ask)) as readonly HealthEntry[];
    return { found: entries.length > 0, entries };
  }

  /** The node of this name, if there is one. @throws AppError as `service`. */
  async node(name: string): Promise<Node | undefined> {
    const ask = (index: number, signal: AbortSignal) => this.#deps.source.node(name, index, signal);
    return (await this.#lookup(`node ${name.toLowerCase()}`, ask)) as Node | undefined;
  }

  /** The nodes of the servers. */
  async servers(): Promise<readonly Node[]> {
    const { entries } = await this.service(DEFAULT_NAMESPACE, SERVER_SERVICE);
    return entries.map((entry) => entry.Node);
  }

  /** The instances that a prepared query gives to a client at `source`. @throws AppError when no server answers. */
  async query(idOrName: string, source: string): Promise<QueryResult | undefined> {
    return (await this.#ask<QueryResult>('query', idOrName, { source })) ?? undefined;
  }

  async mesh(kind: 'connect' | 'ingress', namespace: string, service: string): Promise<readonly HealthEntry[]> {
    return (await this.#ask<readonly HealthEntry[]>(kind, service, { ns: namespace })) ?? [];
  }

  async virtual(namespace: string, service: string): Promise<{ readonly found: boolean; readonly address?: string }> {
    return (await this.#ask('virtual', service, { ns: namespace })) ?? { found: false };
  }

  async reverse(address: string): Promise<AddressOwner | undefined> {
    return (await this.#ask<AddressOwner>('reverse', address, {})) ?? undefined;
  }

  /** Asked anew each time: such names are rare, and what a query gives hangs on who asks. */
  #ask<T>(kind: string, name: string, query: Readonly<Record<string, string>>): Promise<T | null> {
    return this.#deps.source.dnsLookup<T>(`${kind}/${encodeURIComponent(name)}`, query, this.#stop.signal);
  }

  /** Makes the first contact, then drops what is idle. Ready at once: not being synced shows in the answers. */
  async run(ctx: RunContext): Promise<void> {
    ctx.ready();
    const { clock } = this.#deps;
    while (!ctx.signal.aborted) {
      if (!this.#synced) await this.servers().catch(() => {});
      await clock.sleep(this.#synced ? SWEEP_MS : CONTACT_RETRY_MS, ctx.signal);
      const oldest = clock.monotonic() - this.#idleMs;
      for (const [key, query] of this.#followed) if (query.usedAtMs < oldest) this.#drop(key, query);
    }
    this.#stop.abort();
    for (const [key, query] of this.#followed) this.#drop(key, query);
  }

  async #lookup(key: string, ask: (index: number, signal: AbortSignal) => Promise<Indexed<Answer>>): Promise<Answer> {
    const followed = this.#followed.get(key);
    if (followed) {
      followed.usedAtMs = this.#deps.clock.monotonic();
      this.#followed.delete(key);
      this.#followed.set(key, followed);
      return followed.value;
    }
    // Many who ask for the same new name at once share one question.
    const asking = this.#asking.get(key) ?? this.#first(key, ask);
    return asking;
  }

  #first(key: string, ask: (index: number, signal: AbortSignal) => Promise<Indexed<Answer>>): Promise<Answer> {
    const asking = this.#askFirst(key, ask).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  async #askFirst(key: string, ask: (index: number, signal: AbortSignal) => Promise<Indexed<Answer>>): Promise<Answer> {
    if (this.#stop.signal.aborted) throw new AppError('shuttingDown', 'the agent is stopping');
    const first = await ask(0, this.#stop.signal);
    this.#synced = true;
    const exists = Array.isArray(first.value) ? first.value.length > 0 : first.value !== undefined;
    if (!exists || this.#stop.signal.aborted) return first.value;
    const query = new FollowedQuery({ ...this.#deps, ask }, first);
    this.#followed.set(key, query);
    void query.run();
    if (this.#followed.size > this.#maxFollowed) {
      const [oldest] = this.#followed;
      if (oldest) this.#drop(...oldest);
    }
    return first.value;
  }

  #drop(key: string, query: FollowedQuery<Answer>): void {
    query.stop();
    this.#followed.delete(key);
  }
}
