import type { Clock, Timer } from '../../core/clock.ts';

/** What one of several said: a value, that there is none, or nothing of use. */
export type Said<T> = { readonly value: T } | 'nothing' | 'failed';

/** After `staggerMs` without an answer, or at once after a failure, the next one is asked too. */
export interface Pace {
  readonly budgetMs: number;
  readonly staggerMs: number;
}

/**
 * Asks several shortly after each other (as RFC 8305 does with addresses) and gives the first value. That there is none is believed
 * of one whose predecessors have all failed; undefined then, and when the time is over. `ask` is given the time that is left, and
 * what it says later is of no consequence.
 */
export function firstThatKnows<A, T>(
  deps: { readonly clock: Clock },
  order: readonly A[],
  ask: (one: A, leftMs: number) => Promise<Said<T>>,
  { budgetMs, staggerMs }: Pace,
): Promise<T | undefined> {
  const { clock } = deps;
  return new Promise((resolve) => {
    const endsAt = clock.monotonic() + budgetMs;
    const said: (Said<T> | undefined)[] = order.map(() => undefined);
    let asked = 0;
    let ended = false;
    let stagger: Timer | undefined;
    const end = (value?: T) => {
      ended = true;
      over.cancel();
      stagger?.cancel();
      resolve(value);
    };
    const over = clock.after(budgetMs, () => end());
    const askNext = () => {
      stagger?.cancel();
      const place = asked++;
      if (asked < order.length) stagger = clock.after(staggerMs, askNext);
      void ask(order[place]!, endsAt - clock.monotonic()).then(
        (answer) => hear(place, answer),
        () => hear(place, 'failed'),
      );
    };
    const hear = (place: number, answer: Said<T>) => {
      if (ended) return;
      said[place] = answer;
      if (typeof answer === 'object') return end(answer.value);
      const first = said.findIndex((one) => one !== 'failed');
      if (first < 0 || said[first] === 'nothing') return end();
      if (answer === 'failed' && asked < order.length) askNext();
    };
    askNext();
  });
}
