import type { Intention } from '../../api/shapes/intention.ts';
import { evaluateIntention } from './evaluate-intention.ts';

const NAMES = ['*', 'a', 'b'];

function intention(SourceName: string, DestinationName: string, Action: 'allow' | 'deny'): Intention {
  const Precedence = (DestinationName === '*' ? 5 : 8) + (SourceName === '*' ? 0 : 1);
  const rest = { SourceNS: 'default', DestinationNS: 'default', SourceType: 'consul', CreateIndex: 1, ModifyIndex: 1 };
  return { SourceName, DestinationName, Action, Precedence, ...rest };
}

const decide = (all: readonly Intention[], source: string, destination: string) =>
  evaluateIntention(
    { name: source },
    all
      .filter((one) => one.DestinationName === destination || one.DestinationName === '*')
      .sort((a, b) => b.Precedence - a.Precedence),
    'deny',
  ).result;

/** The four questions in the order of Consul's table, the first answer counts. */
function model(all: readonly Intention[], source: string, destination: string): string {
  for (const [from, to] of [
    [source, destination],
    ['*', destination],
    [source, '*'],
    ['*', '*'],
  ]) {
    const found = all.find((one) => one.SourceName === from && one.DestinationName === to);
    if (found) return found.Action!;
  }
  return 'deny';
}

const PAIRS = NAMES.flatMap((source) => NAMES.map((destination) => [source, destination] as const));

/** Each pair of names has an allow, a deny, or no intention: 3^9 sets, of which every seventh is looked at. */
function* sets(): Generator<Intention[]> {
  for (let code = 0; code < 3 ** PAIRS.length; code += 7) {
    yield PAIRS.flatMap(([source, destination], at) => {
      const digit = Math.floor(code / 3 ** at) % 3;
      return digit === 0 ? [] : [intention(source, destination, digit === 1 ? 'allow' : 'deny')];
    });
  }
}

describe('evaluateIntention', () => {
  it('decides as the table of precedences does, and lets nobody else in after a deny is added', () => {
    let widened = 0;
    let wrong = 0;
    for (const all of sets()) {
      const missing = PAIRS.find(([s, d]) => !all.some((one) => one.SourceName === s && one.DestinationName === d));
      const more = missing && [...all, intention(missing[0], missing[1], 'deny')];
      for (const source of ['a', 'b', 'c']) {
        for (const destination of ['a', 'b', 'c']) {
          const before = decide(all, source, destination);
          if (before !== model(all, source, destination)) wrong++;
          // Over a lower deny of the same wildcard nothing may open either; the default here is deny.
          if (more && before === 'deny' && decide(more, source, destination) === 'allow') widened++;
        }
      }
    }
    expect({ wrong, widened }).toEqual({ wrong: 0, widened: 0 });
  });

  it('tells the services of a peer from those of the cluster', () => {
    const peers = { ...intention('*', 'a', 'allow'), SourcePeer: 'east' };
    expect(evaluateIntention({ name: 'b' }, [peers], 'deny').result).toBe('deny');
    expect(evaluateIntention({ name: 'b', peer: 'east' }, [peers], 'deny').result).toBe('allow');
  });
});
