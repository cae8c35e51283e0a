import fc from 'fast-check';
import { Formation, type FormationMemory, type Step } from './formation.ts';
import type { ServerCard } from './known-servers.ts';

interface Given {
  readonly expect?: number;
  readonly address?: string;
  readonly datacenter?: string;
  readonly id?: string;
}

function server(name: string, more: Given = {}, memory?: FormationMemory): Formation {
  const { expect: expected = 3, address = `${name}:8300`, datacenter = 'dc1' } = more;
  const { id = `id-${name}-${address}` } = more;
  return new Formation({ name, id, address, datacenter, expect: expected }, memory);
}

/** `asker` asks `asked`, which asks back: each hears the other. */
function ask(asker: Formation, asked: Formation): void {
  asked.asked(asker.card());
  asker.heard(asked.card(), asker.question());
  asked.heard(asker.card(), asked.question());
}

function why(step: Step): string {
  return step.kind === 'wait' || step.kind === 'refuse' ? step.why : step.kind;
}

describe('Formation', () => {
  it('lets the lowest name begin once all know the same servers', () => {
    const [a, b, c] = [server('a'), server('b'), server('c')];
    ask(b, a);
    expect(why(a.next())).toBe('2 of 3 servers are known: a, b');
    ask(c, a);
    expect(why(a.next())).toBe('b does not know the same servers yet');
    ask(b, a);
    ask(c, b);
    expect(why(b.next())).toBe('a, the lowest name, begins the cluster');
    ask(a, b);
    ask(a, c);
    expect(a.next()).toEqual({ kind: 'bootstrap' });
    ask(b, a);
    expect(why(b.next())).toBe('a begins the cluster');
    a.formed('77');
    ask(b, a);
    expect(b.next()).toEqual({ kind: 'enter', through: 'a:8300' });
  });

  it('refuses different numbers, names given twice, other datacenters and two clusters, naming both sides', () => {
    const refusal = (self: Formation, ...others: Formation[]) => {
      for (const other of others) ask(self, other);
      const step = self.next();
      expect(step.kind).toBe('refuse');
      return why(step);
    };
    expect(refusal(server('a'), server('b', { expect: 5 }))).toMatch(/is 3 here and 5 at b \(b:8300\)/);
    expect(refusal(server('a'), server('a', { address: 'x:1' }))).toMatch(/named a: this one at a:8300 and one at x:1/);
    expect(refusal(server('a'), server('b', { datacenter: 'dc2' }))).toMatch(/b at b:8300 is of datacenter dc2/);
    expect(refusal(server('c'), server('b'), server('b', { address: 'x:1' }))).toMatch(/named b: at b:8300 and x:1/);
    const [first, second] = [server('a'), server('b')];
    first.formed('1');
    second.formed('2');
    expect(refusal(server('c'), first, second)).toMatch(/a \(a:8300\) in 1, b \(b:8300\) in 2/);
  });

  it('never begins without being told to expect servers, and joins all the same', () => {
    const late = server('0', { expect: 0 });
    const a = server('a');
    ask(late, a);
    expect(why(late.next())).toMatch(/-bootstrap-expect is not given/);
    expect(a.card().knows.map(({ name }) => name)).toEqual(['a']);
    a.formed('5');
    ask(late, a);
    expect(late.next()).toEqual({ kind: 'enter', through: 'a:8300' });
  });

  it('goes on with its pledge after a restart, and does not with that of a cluster it has heard of', () => {
    const [a, b, c] = [server('a'), server('b'), server('c')];
    for (const [one, other] of [
      [b, a],
      [c, a],
      [b, c],
      [a, b],
      [a, c],
    ] as const)
      ask(one, other);
    expect(a.next()).toEqual({ kind: 'bootstrap' });
    const again = server('a', {}, a.memory());
    expect(again.card().state).toBe('bootstrapping');
    ask(again, server('0'));
    expect(again.next()).toEqual({ kind: 'bootstrap' });
    // Another one was there first: nobody can have entered this one's.
    const other = server('z');
    other.formed('9');
    ask(again, other);
    expect(again.next()).toEqual({ kind: 'enter', through: 'z:8300' });
  });

  it('begins no cluster any more once it has heard of one, also after a restart', () => {
    const [a, b, c] = [server('a'), server('b'), server('c')];
    const other = server('z');
    other.formed('9');
    ask(a, other);
    const again = server('a', {}, a.memory());
    for (const [one, two] of [
      [b, again],
      [c, again],
      [b, c],
      [again, b],
      [again, c],
    ] as const)
      ask(one, two);
    expect(why(again.next())).toBe('z at z:8300, which was in cluster 9, does not answer');
    expect(again.addresses()).toContain('z:8300');
    const third = server('y');
    third.formed('8');
    ask(again, third);
    expect(why(again.next())).toMatch(/two clusters: z \(z:8300\) in 9, y \(y:8300\) in 8/);
  });

  it('follows a server to another address or name, and counts it once', () => {
    const [a, b] = [server('a'), server('b')];
    ask(a, b);
    const moved = server('b', { address: 'x:1', id: 'id-b-b:8300' });
    ask(moved, a);
    expect(a.card().knows.map(({ address }) => address)).toEqual(['a:8300', 'x:1']);
    // On a new disk it is known again by its name, once the old address is silent.
    const anew = server('b', { address: 'y:1' });
    ask(anew, a);
    a.silent('x:1');
    expect(a.card().knows.map(({ address }) => address)).toEqual(['a:8300', 'y:1']);
    ask(server('c', { address: 'y:1', id: 'id-b-y:1' }), a);
    expect(a.card().knows.map(({ name }) => name)).toEqual(['a', 'c']);
  });

  it('keeps a server whose address another one has got, until it comes back', () => {
    const [a, b] = [server('a'), server('b')];
    ask(a, b);
    ask(server('d', { address: 'b:8300' }), a);
    expect(a.card().knows.map(({ name }) => name)).toEqual(['a', 'b', 'd']);
    expect(why(a.next())).toBe('b at b:8300 has not answered');
  });

  it('agrees with those alone who know each server by the disk that it has now', () => {
    const of = (name: string, id: string) => server(name, { expect: 2, id });
    const [before, c] = [of('b', 'b-0'), of('c', 'c-0')];
    ask(before, c);
    const late = before.card();
    const b = of('b', 'b-1');
    b.heard(c.card(), b.question());
    expect(why(b.next())).toBe('c does not know the same servers yet');
    ask(b, c);
    // What the one before has asked comes now.
    c.asked(late);
    expect(c.card().knows.map(({ id }) => id)).toEqual(['b-1', 'c-0']);
    b.heard(c.card(), b.question());
    expect(b.next()).toEqual({ kind: 'bootstrap' });
  });

  it('takes no answer that a later disk of the server may have overtaken, until it is asked again', () => {
    const of = (name: string, id: string, address?: string) =>
      server(name, { expect: 2, id, ...(address === undefined ? {} : { address }) });
    const [before, b, c] = [of('b', 'b-0'), of('b', 'b-1'), of('c', 'c-0')];
    const [first, second] = [c.question(), c.question()];
    const late = before.card();
    expect(c.heard(b.card(), second)).toBe(true);
    expect(c.heard(late, first)).toBe(false);
    expect(c.card().knows.map(({ id }) => id)).toEqual(['b-1', 'c-0']);
    // The same disk at the same address says nothing else, whichever answer is the later one.
    expect(c.heard(b.card(), first)).toBe(true);
    const moved = of('b', 'b-2', 'x:1');
    expect(c.heard(moved.card(), c.question())).toBe(true);
    expect(c.heard(b.card(), second)).toBe(false);
    expect(c.heard(b.card(), c.question())).toBe(true);
    expect(c.next().kind).toBe('refuse');
  });

  it('begins no second cluster by an answer that was overtaken', () => {
    const of = (name: string, id: string, expected: number) => server(name, { expect: expected, id });
    const [a, before, b, c] = [of('a', 'a-0', 2), of('b', 'b-0', 2), of('b', 'b-1', 2), of('c', 'c-0', 2)];
    const question = c.question();
    before.heard(c.card(), before.question());
    before.heard(a.card(), before.question());
    const late = before.card();
    a.heard(late, a.question());
    // Its disk is lost, and with it that it knew the first one.
    ask(b, c);
    b.heard(c.card(), b.question());
    expect(b.next()).toEqual({ kind: 'bootstrap' });
    c.heard(late, question);
    c.heard(a.card(), c.question());
    a.heard(c.card(), a.question());
    expect(why(a.next())).toBe('c does not know the same servers yet');
  });

  it('enters through one that answers', () => {
    const [a, b, c] = [server('a'), server('b'), server('c')];
    a.formed('9');
    b.formed('9');
    ask(c, a);
    ask(c, b);
    expect(c.next()).toEqual({ kind: 'enter', through: 'a:8300' });
    c.silent('a:8300');
    expect(c.next()).toEqual({ kind: 'enter', through: 'b:8300' });
  });

  it('begins one cluster at most, whatever order calls and answers take and however few are asked first', () => {
    const NAMES = ['a', 'b', 'c', 'd', 'e'];
    const call = fc.record({ from: fc.nat(4), to: fc.nat(4), lateAnswer: fc.boolean() });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 120 }), fc.integer({ min: 3, max: 5 }), (calls, expected) => {
        const servers = NAMES.map((name) => server(name, { expect: expected }));
        const late: { to: number; card: ServerCard; question: number }[] = [];
        const begun: string[] = [];
        const step = (at: number) => {
          if (servers[at]!.card().state === 'waiting' && servers[at]!.next().kind === 'bootstrap')
            begun.push(NAMES[at]!);
        };
        for (const { from, to, lateAnswer } of calls) {
          const question = servers[from]!.question();
          servers[to]!.asked(servers[from]!.card());
          if (lateAnswer) late.push({ to: from, card: servers[to]!.card(), question });
          else servers[from]!.heard(servers[to]!.card(), question);
          if (late.length > 2) {
            const { to: at, card, question: asked } = late.shift()!;
            servers[at]!.heard(card, asked);
            step(at);
          }
          step(from);
        }
        expect(begun.length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 2000 },
    );
  });

  it('comes to a cluster when everybody asks the servers that it knows', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 7 }), fc.infiniteStream(fc.nat(6)), (count, picks) => {
        const servers = Array.from({ length: count }, (_, at) => server(`s${at}`, { expect: count }));
        const byAddress = new Map(servers.map((one) => [one.card().address, one]));
        let begun = 0;
        // All join by the last one only.
        for (let round = 0; round < 6; round++) {
          for (const one of servers) {
            const start = picks.next().value! % count;
            const known = [`s${count - 1}:8300`, ...one.addresses()];
            for (let at = 0; at < known.length; at++) ask(one, byAddress.get(known[(at + start) % known.length]!)!);
            if (one.card().state === 'waiting' && one.next().kind === 'bootstrap') begun += 1;
          }
        }
        expect(begun).toBe(1);
      }),
    );
  });
});
