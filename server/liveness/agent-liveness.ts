import { SERF_PORT } from '../../api/shapes/member-ports.ts';
import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import type { RunContext, Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { NodeEntry } from '../catalog/entries.ts';
import type { AgentHealth } from '../catalog/plan-verdicts.ts';

/** What liveness needs of the catalog. */
export interface AgentHealthStore {
  /** Nodes that have an agent, or had one. */
  nodeEntries(): Iterable<NodeEntry>;
  node(name: string): NodeEntry | undefined;
  /** Called when everything was loaded anew. */
  onReset(listener: () => void): () => void;
  /** Which catalog it is: a restore makes another one. */
  readonly generation: string;
}

/** Writes the serfHealth check of a node. */
export type WriteAgentHealth = (node: string, agent: AgentHealth) => Promise<void>;

interface Seen {
  atMs: number;
  heartbeatMs: number;
  /** Whether it has really reported, and is not only given time to. */
  heard: boolean;
  /** As it is stored. */
  serfPort?: number | undefined;
}

/** Reports that may be missed before an agent counts as gone. */
const MISSED_REPORTS = 3;
/** How often silence is looked for; heartbeats are longer. */
const TICK_MS = 500;
/** A tick this late means that this process was stopped itself: nobody could have been heard. */
const OWN_GAP_MS = 2000;
/** Longest promise that is believed: else a typing error would keep a dead node alive for days. */
const MAX_HEARTBEAT_MS = 60_000;
/** Reports of nodes that are not in the catalog (yet): names are free to invent, so the oldest are forgotten. */
const MAX_UNKNOWN = 10_000;
/** Of agents whose promise is not known. */
const DEFAULT_HEARTBEAT_MS = 10_000;

/**
 * Turns the agents' reports into their nodes' serfHealth checks: critical after three intervals of silence, passing with
 * the next report. After a start, a pause of its own or a restore, everybody gets three intervals first.
 */
export class AgentLiveness implements Runnable {
  readonly name = 'agent-liveness';
  readonly #nodes: AgentHealthStore;
  readonly #write: WriteAgentHealth;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #options: { readonly maxUnknown: number };
  readonly #seen = new Map<string, Seen>();
  /** Keys of `#seen` whose nodes do not exist as far as is known, oldest report first. */
  readonly #unknown = new Set<string>();
  readonly #writing = new Set<string>();

  constructor(
    deps: { nodes: AgentHealthStore; write: WriteAgentHealth; clock: Clock; log: Logger },
    options: { maxUnknown: number } = { maxUnknown: MAX_UNKNOWN },
  ) {
    this.#options = options;
    this.#nodes = deps.nodes;
    this.#write = deps.write;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /**
   * A sign of life, and the port that the agent has told. Resolves when the node's check says so; a node that is not registered
   * yet is remembered, up to a bound.
   */
  async reported(node: string, heartbeatMs: number, told?: number): Promise<void> {
    const key = node.toLowerCase();
    const believed = Math.min(heartbeatMs, MAX_HEARTBEAT_MS);
    const serfPort = told === SERF_PORT ? undefined : told;
    this.#seen.set(key, { atMs: this.#clock.monotonic(), heartbeatMs: believed, heard: true, serfPort });
    const entry = this.#nodes.node(node);
    this.#unknown.delete(key);
    if (!entry) {
      this.#rememberUnknown(key);
      return;
    }
    const known = entry.serfHealth;
    const record = known?.definition?.record;
    if (known?.status === 'passing' && record?.heartbeatMs === believed && record.serfPort === serfPort) return;
    await this.#write(node, { alive: true, heartbeatMs: believed, serfPort });
  }

  async run(ctx: RunContext): Promise<void> {
    this.#greetAll();
    // Whoever another catalog has is waited for as after a start: its agents may be long gone.
    let { generation } = this.#nodes;
    const forget = this.#nodes.onReset(() => {
      if (this.#nodes.generation !== generation) this.#greetAll();
      ({ generation } = this.#nodes);
    });
    ctx.signal.addEventListener('abort', forget, { once: true });
    ctx.ready();
    let last = this.#clock.monotonic();
    while (!ctx.signal.aborted) {
      await this.#clock.sleep(TICK_MS, ctx.signal);
      if (ctx.signal.aborted) return;
      const now = this.#clock.monotonic();
      if (now - last > TICK_MS + OWN_GAP_MS) this.#greetAll();
      last = now;
      this.#tick(now);
    }
  }

  /** Everybody counts as heard just now. */
  #greetAll(): void {
    const now = this.#clock.monotonic();
    for (const seen of this.#seen.values()) {
      seen.atMs = now;
      seen.heard = false;
    }
    for (const entry of this.#nodes.nodeEntries()) {
      if (!entry.serfHealth) continue;
      // As it is stored: while another server led, agents have told that one.
      const { heartbeatMs = DEFAULT_HEARTBEAT_MS, serfPort } = entry.serfHealth.definition?.record ?? {};
      this.#seen.set(entry.key, { atMs: now, heartbeatMs, serfPort, heard: false });
    }
  }

  #rememberUnknown(key: string): void {
    this.#unknown.add(key);
    if (this.#unknown.size <= this.#options.maxUnknown) return;
    const [oldest] = this.#unknown;
    this.#unknown.delete(oldest!);
    // Registered meanwhile, it is one of the catalog's nodes and stays.
    if (!this.#nodes.node(oldest!)) this.#seen.delete(oldest!);
  }

  #tick(now: number): void {
    for (const [key, seen] of this.#seen) {
      const alive = now - seen.atMs <= MISSED_REPORTS * seen.heartbeatMs;
      const entry = this.#nodes.node(key);
      if (!entry) {
        if (!alive) {
          this.#seen.delete(key);
          this.#unknown.delete(key);
        } else if (!this.#unknown.has(key)) this.#rememberUnknown(key); // it was deregistered
        continue;
      }
      this.#unknown.delete(key);
      const status = entry.serfHealth?.status;
      if (alive ? seen.heard && status !== 'passing' : status === 'passing') this.#turn(entry, alive, seen);
    }
  }

  /** One write at a time for a node; a failed one is tried again with the next tick. */
  #turn(entry: NodeEntry, alive: boolean, seen: Seen): void {
    if (this.#writing.has(entry.key)) return;
    this.#writing.add(entry.key);
    if (!alive) this.#log.warn('the agent of a node is silent', { node: entry.name, heartbeatMs: seen.heartbeatMs });
    this.#write(entry.name, { alive, heartbeatMs: seen.heartbeatMs, serfPort: seen.serfPort })
      .catch((error: unknown) => {
        this.#log.warn('the health of a node could not be written', { node: entry.name, text: errorText(error) });
      })
      .finally(() => this.#writing.delete(entry.key));
  }
}
