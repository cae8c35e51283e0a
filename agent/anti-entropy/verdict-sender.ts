import type { VerdictReport } from '../../api/shapes/agent-sync.ts';
import { AppError, errorRow, errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { LocalCheck } from '../local-state/local-records.ts';

export interface VerdictSenderDeps {
  readonly catalog: { report(node: string, report: VerdictReport): Promise<void> };
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Hears which verdicts are not to be sent again: the servers have taken them, or never will. */
  readonly settled: (due: readonly DueVerdict[]) => void;
}

export interface VerdictSenderOptions {
  readonly nodeName: string;
  readonly heartbeatMs: number;
  /** Of this node among members, 0 = it has none; not told when absent. */
  readonly serfPort?: number | undefined;
}

/** A check whose verdict is to be sent. */
export interface DueVerdict {
  readonly key: string;
  readonly check: LocalCheck;
  /** Which of the changes of its state this is. */
  readonly change: number;
}

/**
 * So many requests look for what is refused in one report. One verdict among 500 takes eighteen; each search finds at least
 * one, or everything else would wait for ever.
 */
const MAX_PARTS = 32;

/** Sends verdicts in one report, or in parts of it where the servers refuse some: one that they do not take keeps back no other. */
export class VerdictSender {
  readonly #deps: VerdictSenderDeps;
  readonly #options: VerdictSenderOptions;
  readonly #reports;

  constructor(deps: VerdictSenderDeps, options: VerdictSenderOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#reports = deps.metrics.counter({
      name: 'lictor_agent_reports_total',
      help: 'Reports of check states to the servers, by result',
      labels: ['result'],
    });
  }

  /**
   * None is the sign of life alone. False when so much is refused that a rest was not sent: it is due again.
   * @throws what may succeed later, and what is refused with no verdict in it, too.
   */
  async send(due: readonly DueVerdict[], signal: AbortSignal): Promise<boolean> {
    const refusal = await this.#attempt(due, signal);
    if (refusal === undefined) return true;
    // Where the verdicts are not at fault this is refused, too. Else the servers hear that this agent lives.
    await this.#attempt([], signal);
    return this.#inParts(due, refusal, signal);
  }

  /** Halves what was refused until the verdict is alone that is at fault. */
  async #inParts(due: readonly DueVerdict[], refusal: unknown, signal: AbortSignal): Promise<boolean> {
    const refused = [{ part: due, refusal }];
    for (let sent = 0; refused.length > 0; ) {
      const { part, refusal } = refused.pop()!;
      if (part.length === 1 || !isAboutContent(refusal)) {
        this.#giveUp(part, refusal);
        continue;
      }
      if (sent >= MAX_PARTS) return false;
      const half = Math.ceil(part.length / 2);
      for (const one of [part.slice(0, half), part.slice(half)]) {
        sent++;
        const again = await this.#attempt(one, signal);
        if (again !== undefined) refused.push({ part: one, refusal: again });
      }
    }
    return true;
  }

  /** Gives the refusal for good of a report with verdicts. @throws any other failure. */
  async #attempt(due: readonly DueVerdict[], signal: AbortSignal): Promise<unknown> {
    const { nodeName, heartbeatMs, serfPort } = this.#options;
    const verdicts = due.map(({ check }) => ({
      Namespace: check.namespace,
      CheckID: check.checkId,
      Status: check.status,
      Output: check.output,
    }));
    try {
      const port = serfPort === undefined ? {} : { SerfPort: serfPort };
      await this.#deps.catalog.report(nodeName, { Verdicts: verdicts, HeartbeatMs: heartbeatMs, ...port });
    } catch (error) {
      if (signal.aborted) throw error;
      if (due.length > 0 && isRefusal(error)) return error;
      this.#reports.add(1, { result: 'failed' });
      throw error;
    }
    this.#reports.add(1, { result: 'ok' });
    this.#deps.settled(due);
    return undefined;
  }

  #giveUp(due: readonly DueVerdict[], refusal: unknown): void {
    this.#reports.add(1, { result: 'refused' });
    const checks = due.map(({ key }) => key);
    this.#deps.log.error('the servers refuse check states', { text: errorText(refusal), checks });
    this.#deps.settled(due);
  }
}

/** Whether the servers refuse for good what was sent. */
function isRefusal(error: unknown): boolean {
  const row = errorRow(error);
  return !row.retryable && row !== errorRow(undefined);
}

/** Whether a part of what was sent may be taken without the rest. */
function isAboutContent(error: unknown): boolean {
  return error instanceof AppError && (error.code === 'tooLarge' || error.code === 'badRequest');
}
