import fc from 'fast-check';
import { SeededRandom } from '../../core/random.ts';
import { checkKey } from '../support/linearizability/check-key.ts';
import { type Answer, type Call, History, type Operation, type Seen } from '../support/linearizability/operations.ts';

/** How many random histories; the nightly form asks for more. */
const RUNS = Number(process.env.PROPERTY_RUNS ?? 150);

/** A real register in one place, whose operations take effect at one instant between call and answer. */
class Register {
  #value: Seen | undefined;
  #index = 10;

  get seen(): Seen | undefined {
    return this.#value;
  }

  do(call: Call): Answer {
    const now = this.#value;
    const set = (value: string, session?: string): boolean => {
      this.#value = { value, index: ++this.#index, session };
      return true;
    };
    switch (call.kind) {
      case 'read':
        return now;
      case 'write':
        return set(call.value, now?.session);
      case 'cas':
        return (now?.index ?? 0) === call.index && set(call.value, now?.session);
      case 'delete':
        this.#value = undefined;
        return true;
      case 'acquire':
        return (now?.session ?? call.session) === call.session && set(call.value, call.session);
      case 'release':
        return now?.session === call.session && set(call.value);
      case 'destroy':
        return now?.session !== call.session || set(now.value);
    }
  }
}

function randomCall(random: SeededRandom, n: number, register: Register): Call {
  const value = `v${n}`;
  const session = `s${Math.floor(random.next() * 3)}`;
  const dice = Math.floor(random.next() * 12);
  if (dice < 5) return { kind: 'read' };
  if (dice < 7) return { kind: 'write', value };
  if (dice < 9) return { kind: 'cas', value, index: register.seen?.index ?? 0 };
  if (dice < 10) return { kind: 'acquire', value, session };
  if (dice < 11) return { kind: 'release', value, session };
  return random.next() < 0.7 ? { kind: 'delete' } : { kind: 'destroy', session };
}

/** Four clients at once; some writes go unanswered and may take effect much later. */
function linearizableHistory(seed: number, length = 60): Operation[] {
  const random = new SeededRandom(seed);
  const register = new Register();
  const history = new History();
  const waiting: (() => void)[] = [];
  for (let n = 0; n < length; n++) {
    const call = randomCall(random, n, register);
    const begun = history.begin(`c${n % 4}`, 'k', call);
    const outcome = random.next();
    waiting.push(() => {
      if (outcome < 0.04) return begun.unknown();
      const answer = register.do(call);
      if (outcome < 0.08) begun.unknown();
      else waiting.push(() => begun.done(answer));
    });
    while (waiting.length > 4) waiting.splice(Math.floor(random.next() * waiting.length), 1)[0]!();
  }
  while (waiting.length > 0) waiting.splice(Math.floor(random.next() * waiting.length), 1)[0]!();
  return history.operations;
}

/** One answer of a read or condition changed into another one. */
function mutated(operations: readonly Operation[], random: SeededRandom): Operation[] {
  const reads = operations.filter(({ call, answer }) => call.kind === 'read' && answer);
  const target = reads[Math.floor(random.next() * reads.length)]!;
  const others = [undefined, ...reads.map(({ answer }) => answer as Seen)].filter(
    (other) => other?.value !== (target.answer as Seen).value,
  );
  const answer = others[Math.floor(random.next() * others.length)];
  return operations.map((operation) => (operation === target ? { ...operation, answer } : operation));
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 });

describe('the check of linearizability', () => {
  it('accepts what a real register did', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        expect(checkKey(linearizableHistory(seed))).toBe('linearizable');
      }),
      { numRuns: RUNS },
    );
  });

  it('refuses most histories in which one read shows something else', () => {
    let refused = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const history = linearizableHistory(seed);
      if (checkKey(mutated(history, new SeededRandom(seed))) === 'broken') refused++;
    }
    expect(refused).toBeGreaterThan(80);
  });
});
