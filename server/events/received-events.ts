import type { UserEvent } from '../../api/shapes/user-event.ts';
import { compileRegexp, type Regexp } from '../../core/regexp.ts';

/** A service on an agent's node. */
export interface LocalService {
  readonly name: string;
  readonly tags: readonly string[];
}

/** The node of an agent, as far as filters of events look at it. */
export interface EventTarget {
  readonly node: string;
  services(): Iterable<LocalService>;
}

/** An agent lists so many events at most (Consul's ring). */
const MAX_LISTED = 256;
/** Kept for all agents together: what is meant for others must not push out an agent's own so soon. */
const MAX_KEPT = 1024;

interface Received {
  readonly event: UserEvent;
  readonly node: Regexp | undefined;
  readonly service: Regexp | undefined;
  readonly tag: Regexp | undefined;
}

/** The last events, and which of them an agent was meant to get. */
export class ReceivedEvents {
  readonly #events: Received[] = [];
  readonly #watchers = new Set<() => void>();

  /** Its filters must be valid. */
  add(event: UserEvent): void {
    const filter = (pattern: string) => (pattern === '' ? undefined : compileRegexp(pattern));
    this.#events.push({
      event,
      node: filter(event.NodeFilter),
      service: filter(event.ServiceFilter),
      tag: filter(event.TagFilter),
    });
    if (this.#events.length > MAX_KEPT) this.#events.shift();
    for (const wake of [...this.#watchers]) wake();
  }

  /** Oldest first. */
  of(target: EventTarget): UserEvent[] {
    const found = this.#events.filter((received) => isMeantFor(received, target));
    return found.slice(-MAX_LISTED).map(({ event }) => event);
  }

  watch(wake: () => void): () => void {
    const call = () => wake();
    this.#watchers.add(call);
    return () => this.#watchers.delete(call);
  }
}

function isMeantFor({ node, service, tag }: Received, target: EventTarget): boolean {
  if (node && !node.test(target.node)) return false;
  if (!service) return true;
  for (const local of target.services()) {
    if (service.test(local.name) && (!tag || local.tags.some((own) => tag.test(own)))) return true;
  }
  return false;
}
