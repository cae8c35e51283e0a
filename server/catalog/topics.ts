import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';

/** Something that can be waited for: all data of one service, of one node, the list of nodes, … */
export interface KnownTopic {
  readonly version: number;
  /** Whether its version is no longer kept here. */
  readonly forgotten: boolean;
}

interface Topic extends KnownTopic {
  version: number;
  /** Whether its data exists; a topic without data is kept only while it is watched or remembered. */
  live: boolean;
  watchers: Set<() => void> | undefined;
  forgotten: boolean;
}

export interface TopicsOptions {
  /** Most watchers at a time. */
  readonly maxWatchers: number;
  /** Most topics without data whose versions are remembered. */
  readonly maxRemembered: number;
}

/** How long watchers are called in one go before other work gets its turn. */
const SLICE_MS = 5;

/**
 * One version for each topic, and who waits for it. Versions never fall: what was deleted keeps its version in a bounded
 * memory, and when that forgets one, the floor of all absent topics rises to it.
 */
export class Topics {
  readonly #clock: Clock;
  readonly #options: TopicsOptions;
  readonly #topics = new Map<string, Topic>();
  /** Absent topics in the order in which they are forgotten. */
  readonly #absent = new Set<string>();
  readonly #changed = new Set<Topic>();
  readonly #calls: (() => void)[] = [];
  #calling = false;
  #floor = 0;
  #absentFloor = 0;
  #watchers = 0;

  constructor(deps: { clock: Clock }, options: TopicsOptions) {
    this.#clock = deps.clock;
    this.#options = options;
  }

  get watchers(): number {
    return this.#watchers;
  }

  version(name: string): number {
    const topic = this.#topics.get(name);
    return topic ? Math.max(topic.version, this.#floor) : Math.max(this.#absentFloor, this.#floor);
  }

  /** A topic that is known, for who asks for its version again and again; to be found anew once it is forgotten. */
  find(name: string): KnownTopic | undefined {
    return this.#topics.get(name);
  }

  /** The version of a topic that was found and is not forgotten. */
  versionOf(topic: KnownTopic): number {
    return Math.max(topic.version, this.#floor);
  }

  /**
   * Notes a change of a topic and whether its data exists now; watchers are called by `flush`, when all changes of a
   * transaction are in place.
   */
  bump(name: string, version: number, live: boolean): void {
    const topic = this.#get(name);
    topic.version = version;
    if (topic.watchers) this.#changed.add(topic);
    if (topic.live === live) return;
    topic.live = live;
    if (live) this.#absent.delete(name);
    else this.#remember(name);
  }

  /** Before everything is loaded anew: no topic is known to have data. */
  forgetData(): void {
    for (const [name, topic] of this.#topics) {
      if (!topic.live) continue;
      topic.live = false;
      this.#remember(name);
    }
  }

  /** Nothing is known of what happened before `version`: every topic counts as changed then, and all watchers are called. */
  raiseFloor(version: number): void {
    this.#floor = Math.max(this.#floor, version);
    for (const topic of this.#topics.values()) if (topic.watchers) this.#changed.add(topic);
  }

  /** Calls the watchers of what has changed. */
  flush(): void {
    if (this.#changed.size > 0) {
      for (const topic of this.#changed) if (topic.watchers) this.alsoCall(topic.watchers);
      this.#changed.clear();
    }
    if (!this.#calling && this.#calls.length > 0) this.#call();
  }

  /** Calls these too with the next `flush`: watchers that are kept elsewhere. */
  alsoCall(watchers: Iterable<() => void>): void {
    // Not spread: there may be more of them than arguments fit on the stack.
    for (const call of watchers) this.#calls.push(call);
  }

  /** Counts a watcher that is kept elsewhere; to be ended once. @throws AppError `rateLimited` when too many wait already. */
  admit(): () => void {
    if (this.#watchers >= this.#options.maxWatchers) {
      throw new AppError('rateLimited', `too many blocking queries (${this.#options.maxWatchers}); try again later`);
    }
    this.#watchers++;
    return () => {
      this.#watchers--;
    };
  }

  /** @throws AppError `rateLimited` when too many wait already. */
  watch(names: readonly string[], wake: () => void): () => void {
    const leave = this.admit();
    // A function of its own: the same one given twice counts twice.
    const call = () => wake();
    for (const name of names) {
      const topic = this.#get(name);
      topic.watchers ??= new Set();
      topic.watchers.add(call);
      this.#absent.delete(name);
    }
    let done = false;
    return () => {
      if (done) return;
      done = true;
      leave();
      for (const name of names) this.#unwatch(name, call);
    };
  }

  #unwatch(name: string, call: () => void): void {
    const topic = this.#topics.get(name);
    if (!topic?.watchers) return;
    topic.watchers.delete(call);
    if (topic.watchers.size > 0) return;
    topic.watchers = undefined;
    if (!topic.live) this.#remember(name);
  }

  #get(name: string): Topic {
    let topic = this.#topics.get(name);
    if (!topic) {
      topic = { version: this.#absentFloor, live: false, watchers: undefined, forgotten: false };
      this.#topics.set(name, topic);
      this.#remember(name);
    }
    return topic;
  }

  #remember(name: string): void {
    if (this.#topics.get(name)?.watchers) return;
    this.#absent.delete(name);
    this.#absent.add(name);
    if (this.#absent.size <= this.#options.maxRemembered) return;
    const [oldest] = this.#absent;
    this.#absent.delete(oldest!);
    const forgotten = this.#topics.get(oldest!)!;
    forgotten.forgotten = true;
    this.#absentFloor = Math.max(this.#absentFloor, forgotten.version);
    this.#topics.delete(oldest!);
  }

  #call(): void {
    const start = this.#clock.monotonic();
    for (let at = 0; at < this.#calls.length; at++) {
      this.#calls[at]!();
      if (at % 16 === 15 && this.#clock.monotonic() - start > SLICE_MS) {
        this.#calls.splice(0, at + 1);
        this.#calling = true;
        setImmediate(() => this.#call());
        return;
      }
    }
    this.#calls.length = 0;
    this.#calling = false;
  }
}

/** The names of a namespace's lists, made once: each change of an instance or a check touches several of them. */
export class NamespaceTopics {
  readonly namespace: string;
  readonly services: string;
  readonly instances: string;
  readonly #checks = new Map<string, string>();

  constructor(namespace: string) {
    this.namespace = namespace;
    this.services = topicOf.services(namespace);
    this.instances = topicOf.instances(namespace);
  }

  checks(status: string): string {
    let topic = this.#checks.get(status);
    if (topic === undefined) {
      topic = topicOf.checks(this.namespace, status);
      this.#checks.set(status, topic);
    }
    return topic;
  }
}

/** Names of topics. Names are given in lower case; `*` as the namespace of a list stands for all. */
export const topicOf = {
  service: (namespace: string, name: string) => `service/${namespace}/${name}`,
  /** The mesh endpoints of a service, given as `namespace/service`. */
  meshEndpoints: (destination: string) => `connect/${destination}`,
  /** The ingress gateways of a service. */
  ingress: (namespace: string, service: string) => `ingress/${namespace}/${service}`,
  /** The services of a gateway. */
  gateway: (namespace: string, gateway: string) => `gateway/${namespace}/${gateway}`,
  /** A node, its instances and its checks. */
  node: (name: string) => `node/${name}`,
  /** What the agent of a node has to run. */
  definitions: (node: string) => `definitions/${node}`,
  nodes: 'nodes',
  /** Which namespaces there are, and how they are described. */
  namespaces: 'namespaces',
  /** Names, kinds and tags of the services of a namespace. */
  services: (namespace: string) => `services/${namespace}`,
  /** Every instance of a namespace and the nodes that they are on. */
  instances: (namespace: string) => `instances/${namespace}`,
  /** Checks of a namespace in a state, or in `any`. */
  checks: (namespace: string, status: string) => `checks/${namespace}/${status}`,
};
