import type { VerdictReport } from '../../api/shapes/agent-sync.ts';
import { Backoff } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import type { LocalChange } from '../local-state/local-changes.ts';
import { type LocalCheck, localKey } from '../local-state/local-records.ts';
import { type DueVerdict, VerdictSender } from './verdict-sender.ts';
import { Wakeup } from './wakeup.ts';

export interface VerdictReporterDeps {
  readonly local: {
    check(key: string): LocalCheck | undefined;
    onChange(listener: (change: LocalChange) => void): () => void;
  };
  readonly catalog: { report(node: string, report: VerdictReport): Promise<void> };
  /** Whether a verdict must wait for its check's registration. */
  readonly holds: (key: string, serviceKey: string | undefined) => boolean;
  /**
   * Whether the catalog has taken this agent's node. Nothing is reported before: a sign of life would keep alive whoever
   * had the name, under another id, and so keep this agent out for ever.
   */
  readonly nodeRegistered: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly random: Pick<Random, 'next'>;
  /** Called when a report was taken after one had failed. */
  readonly onReconnect?: () => void;
}

export interface VerdictReporterOptions {
  readonly nodeName: string;
  /** At least this often something is sent: the servers take silence for death. */
  readonly heartbeatMs?: number;
  /** Of this node among members, which the servers tell others. */
  readonly serfPort?: number;
  /** How long a change of the output alone may wait (Consul's check_update_interval); 0 = not at all. */
  readonly outputDelayMs?: number;
}

/** One report holds at most this many verdicts and about these bytes: servers take bodies of a megabyte. */
const MAX_BATCH = 500;
const MAX_BATCH_BYTES = 512 * 1024;
const RETRY = { baseMs: 200, maxMs: 5000, jitter: 0.5 };

/** Where so much is refused that a report does not come to its end, the servers have this time for others. */
const REFUSED_REST_MS = 1000;

interface Mark {
  readonly dueAtMs: number;
  /** Grows with each change, so that a change during a report is not taken for reported. */
  readonly change: number;
}

/**
 * Sends the state halves of checks to the servers: a changed status at once, a changed output later, one report at a
 * time, always with the newest state. An empty report is the agent's sign of life.
 */
export class VerdictReporter implements Runnable {
  readonly name = 'verdict-reporter';
  readonly #deps: VerdictReporterDeps;
  readonly #sender: VerdictSender;
  readonly #heartbeatMs: number;
  readonly #outputDelayMs: number;
  readonly #wakeup: Wakeup;
  readonly #backoff: Backoff;
  readonly #marks = new Map<string, Mark>();
  #changes = 0;

  constructor(deps: VerdictReporterDeps, options: VerdictReporterOptions) {
    this.#deps = deps;
    this.#heartbeatMs = options.heartbeatMs ?? 5000;
    this.#outputDelayMs = options.outputDelayMs ?? 300_000;
    this.#wakeup = new Wakeup(deps);
    this.#backoff = new Backoff(deps, RETRY);
    this.#sender = new VerdictSender(
      { ...deps, settled: (due) => this.#forget(due) },
      { nodeName: options.nodeName, heartbeatMs: this.#heartbeatMs, serfPort: options.serfPort },
    );
  }

  /** The catalog shows another state than this agent knows. An output alone waits as one that has just changed. */
  differ(key: string, how: { statusDiffers: boolean }): void {
    const check = this.#deps.local.check(key);
    if (check) this.#mark(key, how.statusDiffers);
  }

  /** Looks again at verdicts that had to wait. */
  wake(): void {
    this.#wakeup.wake();
  }

  /** A report under way is not waited for at the end: servers that hang must not hold up a stop. */
  async run(ctx: RunContext): Promise<void> {
    const unlisten = this.#deps.local.onChange((change) => {
      if (change.kind === 'verdict') this.#mark(change.key, change.statusChanged);
    });
    ctx.ready();
    try {
      await Promise.race([this.#loop(ctx.signal), aborted(ctx.signal)]);
    } finally {
      unlisten();
    }
  }

  async #loop(signal: AbortSignal): Promise<void> {
    let heartbeatAtMs = this.#deps.clock.monotonic();
    while (!signal.aborted) {
      const now = this.#deps.clock.monotonic();
      const due = this.#due(now);
      if (!this.#deps.nodeRegistered()) {
        await this.#wakeup.sleep(this.#heartbeatMs, signal);
      } else if (due.length === 0 && now < heartbeatAtMs) {
        await this.#wakeup.sleep(Math.min(heartbeatAtMs, this.#nextDueAtMs()) - now, signal);
      } else if (await this.#report(due, signal)) {
        heartbeatAtMs = this.#deps.clock.monotonic() + this.#heartbeatMs;
      } else {
        // While the servers are away a change of a check is no reason to hurry.
        await this.#deps.clock.sleep(this.#backoff.next(), signal);
      }
    }
  }

  #mark(key: string, atOnce: boolean): void {
    const now = this.#deps.clock.monotonic();
    // Spread over half to one and a half of the delay, as Consul does.
    const delayMs = atOnce ? 0 : this.#outputDelayMs * (0.5 + this.#deps.random.next());
    const dueAtMs = Math.min(this.#marks.get(key)?.dueAtMs ?? Number.POSITIVE_INFINITY, now + delayMs);
    this.#marks.set(key, { dueAtMs, change: ++this.#changes });
    if (dueAtMs <= now) this.#wakeup.wake();
  }

  #due(now: number): DueVerdict[] {
    const due: DueVerdict[] = [];
    let bytes = 0;
    for (const [key, mark] of this.#marks) {
      if (mark.dueAtMs > now) continue;
      const check = this.#deps.local.check(key);
      if (!check) {
        this.#marks.delete(key);
        continue;
      }
      if (this.#held(key, check)) continue;
      bytes += bytesAtMost(check);
      if (due.length === MAX_BATCH || (due.length > 0 && bytes > MAX_BATCH_BYTES)) break;
      due.push({ key, check, change: mark.change });
    }
    return due;
  }

  #held(key: string, check: LocalCheck): boolean {
    if (check.origin === 'assigned') return false;
    return this.#deps.holds(key, check.serviceId === '' ? undefined : localKey(check.namespace, check.serviceId));
  }

  /** Held marks do not count: whoever holds them wakes this loop. */
  #nextDueAtMs(): number {
    let next = Number.POSITIVE_INFINITY;
    const now = this.#deps.clock.monotonic();
    for (const mark of this.#marks.values()) if (mark.dueAtMs > now && mark.dueAtMs < next) next = mark.dueAtMs;
    return next;
  }

  async #report(due: readonly DueVerdict[], signal: AbortSignal): Promise<boolean> {
    try {
      if (!(await this.#sender.send(due, signal))) await this.#deps.clock.sleep(REFUSED_REST_MS, signal);
    } catch (error) {
      if (signal.aborted) return false; // nobody waits for this report any more
      const fields = { text: errorText(error), verdicts: due.length };
      if (this.#backoff.failures === 0) this.#deps.log.warn('check states could not be reported; trying again', fields);
      return false;
    }
    if (this.#backoff.failures > 0) {
      this.#backoff.reset();
      this.#deps.log.info('the servers take reports again');
      this.#deps.onReconnect?.();
    }
    return true;
  }

  #forget(due: readonly DueVerdict[]): void {
    for (const { key, change } of due) if (this.#marks.get(key)?.change === change) this.#marks.delete(key);
  }
}

/** What a verdict takes in a report: six bytes of JSON at most for one of a text. */
function bytesAtMost({ namespace, checkId, output }: LocalCheck): number {
  return 100 + 6 * (namespace.length + checkId.length + output.length);
}
