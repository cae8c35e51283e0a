import { setTimeout as sleep } from 'node:timers/promises';
import type { Exchange } from '../../support/described-answers.ts';
import { freePort } from '../../support/processes/free-port.ts';
import { ScenarioAgent } from './agent.ts';
import { type Answer, lookup, observedHttp } from './answer.ts';
import { type Context, fill } from './context.ts';
import { observedDns, sendDns } from './dns-step.ts';
import { Gate } from './gate.ts';
import { sendHttp } from './http-step.ts';
import { compare, relationHolds, show } from './matching.ts';
import type { Scenario, Step } from './step.ts';

/** A scenario's times are those of a machine of its own; here other tests run beside it. */
const BUSY_FACTOR = 4;

/** A step that differs from what was recorded. */
export interface Difference {
  readonly step: string;
  readonly text: string;
}

interface Background {
  readonly answer: Promise<{ readonly answer: Answer; readonly finishedMs: number }>;
  readonly sentMs: number;
  readonly step: Step;
}

interface Seen {
  readonly answer?: Answer;
  readonly observed: Record<string, unknown>;
  readonly problems: string[];
}

/** Time for a background request to arrive before the next step. */
const ARRIVE_MS = 150;

/** What a replay gives. */
export interface Replayed {
  readonly differences: readonly Difference[];
  /** How many steps were compared. */
  readonly compared: number;
  /** All that was asked over HTTP, with the answers. */
  readonly exchanges: readonly Exchange[];
}

/** Replays a scenario against an agent of its own. */
export async function runScenario(scenario: Scenario): Promise<Replayed> {
  const gate = await Gate.open();
  const agent = await ScenarioAgent.start(scenario);
  try {
    const { variables } = agent.context;
    variables.set('gate', `http://127.0.0.1:${gate.port}`);
    variables.set('gate_tcp', `127.0.0.1:${gate.port}`);
    variables.set('closed_tcp', `127.0.0.1:${await freePort()}`);
    const replay = new Replay(agent.context, gate);
    const differences: Difference[] = [];
    let compared = 0;
    for (const [at, step] of scenario.steps.entries()) {
      const id = step.id ?? String(at + 1).padStart(2, '0');
      const found = await replay.step(step, id);
      if (!found) continue;
      compared++;
      const request = step.http ?? step.dns ?? `background ${step.await ?? step.pending}`;
      if (found.length > 0)
        differences.push({ step: id, text: `[${show(fill(agent.context, request))}] ${found.slice(0, 3).join('; ')}` });
    }
    return { differences, compared, exchanges: agent.context.exchanges };
  } finally {
    await agent.stop();
    gate.close();
  }
}

class Replay {
  readonly #context: Context;
  readonly #gate: Gate;
  readonly #background = new Map<string, Background>();
  readonly #saved = new Map<string, Buffer>();
  readonly #startedMs = new Map<string, number>();

  constructor(context: Context, gate: Gate) {
    this.#context = context;
    this.#gate = gate;
  }

  /** The differences of a step; undefined for one that has nothing to compare. */
  async step(step: Step, id: string): Promise<string[] | undefined> {
    this.#startedMs.set(id, performance.now());
    if (step.sleep !== undefined) {
      await sleep(step.sleep);
    } else if (step.switch !== undefined) {
      this.#gate.states.set(step.switch, step.to!);
    } else if (step.background !== undefined) {
      const sentMs = performance.now();
      const answer = sendHttp(this.#context, step).then((found) => ({ answer: found, finishedMs: performance.now() }));
      this.#background.set(step.background, { answer, sentMs, step });
      await sleep(ARRIVE_MS);
    } else {
      const deadline = performance.now() + (step.retry ?? 0);
      let found = await this.#judge(step);
      while (found.length > 0 && performance.now() < deadline) {
        await sleep(100);
        found = await this.#judge(step);
      }
      return found;
    }
    return undefined;
  }

  async #judge(step: Step): Promise<string[]> {
    const { answer, observed, problems } = await this.#see(step);
    const found = [...problems];
    if (answer) {
      this.#capture(step, answer);
      found.push(...this.#relations(step, answer));
    }
    const before = new Map(this.#context.bound);
    const expected = step.expect ?? {};
    const unordered = step.unordered === true || step.dns !== undefined;
    for (const part of new Set([...Object.keys(expected), ...Object.keys(observed)])) {
      if (part === 'x509' && observed.x509 === null) continue;
      const [wanted, got] = [expected, observed].map((side) => (part in side ? side[part] : '(nothing)'));
      found.push(...compare(this.#context, wanted, got, { path: part, unordered }));
    }
    if (found.length > 0) this.#context.bound = before;
    return found;
  }

  async #see(step: Step): Promise<Seen> {
    if (step.await !== undefined || step.pending !== undefined) return this.#collect(step);
    const startMs = performance.now();
    if (step.dns !== undefined) {
      const answer = await sendDns(this.#context, step);
      return { answer, observed: observedDns(answer, step), problems: elapsed(step, performance.now() - startMs) };
    }
    const send = (number?: number) => sendHttp(this.#context, step, { saved: this.#saved, number });
    for (let number = 1; number < (step.times ?? 0); number++) await send(number);
    const answer = await send(step.times);
    return { answer, observed: observedHttp(answer, step), problems: elapsed(step, performance.now() - startMs) };
  }

  async #collect(step: Step): Promise<Seen> {
    const name = step.await ?? step.pending!;
    const background = this.#background.get(name);
    if (!background) throw new Error(`no background request is called ${name}`);
    const limit = step.pending === undefined ? (step.within ?? 2000) : (step.for ?? 500);
    const result = await Promise.race([background.answer, sleep(limit, undefined, { ref: false })]);
    if (step.pending !== undefined) return { observed: { pending: result === undefined }, problems: [] };
    if (!result) return { observed: { is: 'still blocked' }, problems: [`expected an answer within ${limit} ms`] };
    const { answer, finishedMs } = result;
    const problems = elapsed({ ...step, within: step.total ?? 600_000 }, finishedMs - background.sentMs);
    if (step.after !== undefined && finishedMs < (this.#startedMs.get(step.after) ?? 0)) {
      problems.push(`answered before step ${step.after}`);
    }
    return { answer, observed: observedHttp(answer, { ...background.step, ...step }), problems };
  }

  #capture(step: Step, answer: Answer): void {
    for (const [name, path] of Object.entries(step.capture ?? {})) {
      const found = lookup(path, answer);
      if (found !== undefined && found !== null) {
        this.#context.variables.set(name, typeof found === 'string' ? found : JSON.stringify(found));
      }
    }
    if (step.save !== undefined) this.#saved.set(step.save, answer.raw);
  }

  #relations(step: Step, answer: Answer): string[] {
    const wanted = { ...step.assert, ...(step.index === undefined ? {} : { 'header:X-Consul-Index': step.index }) };
    return Object.entries(wanted)
      .filter(([path, relation]) => !relationHolds(this.#context, relation, lookup(path, answer)))
      .map(
        ([path, relation]) => `${path}: expected ${fill(this.#context, relation)} got ${show(lookup(path, answer))}`,
      );
  }
}

function elapsed(step: Pick<Step, 'within' | 'at_least'>, ms: number): string[] {
  const problems: string[] = [];
  const allowed = (step.within ?? 600_000) * BUSY_FACTOR;
  if (ms > allowed) problems.push(`took ${Math.round(ms)} ms, allowed ${allowed}`);
  if (ms < (step.at_least ?? 0)) problems.push(`took ${Math.round(ms)} ms, expected at least ${step.at_least}`);
  return problems;
}
