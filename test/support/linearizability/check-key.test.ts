import { checkKey } from './check-key.ts';
import { minimalHistory } from './minimal-history.ts';
import { type Answer, type Call, History, type Operation, operationLine } from './operations.ts';

type Line = readonly [call: Call, start: number, end: number, answer?: Answer, by?: number];

const read = { kind: 'read' } as const;
const remove = { kind: 'delete' } as const;
const write = (value: string) => ({ kind: 'write', value }) as const;
const cas = (value: string, index: number) => ({ kind: 'cas', value, index }) as const;
const acquire = (value: string, session: string) => ({ kind: 'acquire', value, session }) as const;
const release = (value: string, session: string) => ({ kind: 'release', value, session }) as const;
const guarded = (value: string, session: string) => ({ kind: 'guarded', value, session }) as const;
const destroy = (session: string) => ({ kind: 'destroy', session }) as const;
const seen = (value: string, index: number, session?: string) => ({ value, index, session });
const LATER = Infinity;

function history(lines: readonly Line[]): Operation[] {
  return lines.map(([call, start, end, answer, by], i) => ({
    client: `c${i}`,
    key: 'k',
    call,
    start,
    end,
    answer,
    by,
  }));
}

const good: [string, Line[]][] = [
  [
    'a lock that may lapse from some time on, and does so later',
    [
      [acquire('a', 's1'), 0, 1, true],
      [destroy('s1'), 2, LATER],
      [acquire('b', 's2'), 3, 4, false],
      [acquire('c', 's2'), 5, 6, true],
    ],
  ],
  [
    'an unknown acquire before the end of its session',
    [
      [acquire('a', 's1'), 0, LATER, undefined, 5],
      [destroy('s1'), 1, 4, true],
      [read, 2, 3, seen('a', 5, 's1')],
      [read, 6, 7, seen('a', 6)],
    ],
  ],
  ['nothing', []],
  ['a read before any write', [[read, 0, 1, undefined]]],
  [
    'a read of what was written',
    [
      [write('a'), 0, 1, true],
      [read, 2, 3, seen('a', 5)],
    ],
  ],
  [
    'overlapping writes in the other order',
    [
      [write('a'), 0, 3, true],
      [write('b'), 1, 2, true],
      [read, 4, 5, seen('a', 9)],
    ],
  ],
  [
    'a read that overlaps a write and is before it',
    [
      [write('a'), 0, 3, true],
      [read, 1, 2, undefined],
    ],
  ],
  [
    'an unknown write that never happens',
    [
      [write('a'), 0, LATER],
      [read, 1, 2, undefined],
    ],
  ],
  [
    'an unknown write that shows up later',
    [
      [write('a'), 0, 1, true],
      [write('b'), 2, LATER],
      [read, 3, 4, seen('a', 5)],
      [read, 5, 6, seen('b', 7)],
    ],
  ],
  [
    'an unknown delete that happens',
    [
      [write('a'), 0, 1, true],
      [remove, 2, LATER],
      [read, 3, 4, undefined],
    ],
  ],
  [
    'an unknown cas that happens',
    [
      [cas('a', 0), 0, LATER],
      [read, 1, 2, seen('a', 3)],
      [cas('b', 0), 3, 4, false],
    ],
  ],
  [
    'a cas of the index that was read, and one too late',
    [
      [write('a'), 0, 1, true],
      [read, 2, 3, seen('a', 5)],
      [cas('b', 5), 4, 7, true],
      [cas('c', 5), 5, 6, false],
    ],
  ],
  [
    'a delete and a new key',
    [
      [cas('a', 0), 0, 1, true],
      [remove, 2, 3, true],
      [cas('b', 0), 4, 5, true],
    ],
  ],
  [
    'a lock that goes from hand to hand',
    [
      [acquire('a', 's1'), 0, 1, true],
      [acquire('b', 's2'), 2, 3, false],
      [release('c', 's2'), 4, 5, false],
      [release('d', 's1'), 6, 7, true],
      [acquire('e', 's2'), 8, 9, true],
      [read, 10, 11, seen('e', 9, 's2')],
    ],
  ],
  [
    'a session that ends',
    [
      [acquire('a', 's1'), 0, 1, true],
      [destroy('s1'), 2, 3, true],
      [acquire('b', 's2'), 4, 5, true],
    ],
  ],
  [
    'a write of the holder, and one of who is none',
    [
      [acquire('a', 's1'), 0, 1, true],
      [guarded('b', 's1'), 2, 3, true],
      [guarded('c', 's2'), 4, 5, false],
      [read, 6, 7, seen('b', 5, 's1')],
    ],
  ],
  [
    'an unknown release',
    [
      [acquire('a', 's1'), 0, 1, true],
      [release('b', 's1'), 2, LATER],
      [acquire('c', 's2'), 3, 4, true],
    ],
  ],
];

const bad: [string, Line[]][] = [
  [
    'a lock that is free before it may lapse',
    [
      [acquire('a', 's1'), 0, 1, true],
      [acquire('b', 's2'), 2, 3, true],
      [destroy('s1'), 4, LATER],
    ],
  ],
  [
    'a lock that is held by a session that has lapsed',
    [
      [acquire('a', 's1'), 0, 1, true],
      [destroy('s1'), 2, 3, true],
      [read, 4, 5, seen('a', 5, 's1')],
    ],
  ],
  [
    'a lock that lapses and comes back',
    [
      [acquire('a', 's1'), 0, 1, true],
      [destroy('s1'), 2, LATER],
      [read, 3, 4, seen('a', 6)],
      [read, 5, 6, seen('a', 5, 's1')],
    ],
  ],
  [
    'an unknown acquire that takes effect after the end of its session',
    [
      [acquire('a', 's1'), 0, LATER, undefined, 3],
      [destroy('s1'), 1, 2, true],
      [read, 4, 5, undefined],
      [read, 6, 7, seen('a', 5, 's1')],
    ],
  ],
  ['a read of what nobody wrote', [[read, 0, 1, seen('a', 5)]]],
  [
    'a stale read',
    [
      [write('a'), 0, 1, true],
      [write('b'), 2, 3, true],
      [read, 4, 5, seen('a', 5)],
    ],
  ],
  [
    'a lost write',
    [
      [write('a'), 0, 1, true],
      [read, 2, 3, undefined],
    ],
  ],
  [
    'a read that goes back',
    [
      [write('a'), 0, 1, true],
      [write('b'), 2, 9, true],
      [read, 3, 4, seen('b', 6)],
      [read, 5, 6, seen('a', 5)],
    ],
  ],
  [
    'an unknown write that happens twice',
    [
      [write('a'), 0, LATER],
      [read, 1, 2, seen('a', 5)],
      [write('b'), 3, 4, true],
      [read, 5, 6, seen('b', 7)],
      [read, 7, 8, seen('a', 9)],
    ],
  ],
  [
    'an unknown write that shows before it began',
    [
      [read, 0, 1, seen('a', 5)],
      [write('a'), 2, LATER],
    ],
  ],
  [
    'a cas that succeeded twice',
    [
      [write('a'), 0, 1, true],
      [read, 2, 3, seen('a', 5)],
      [cas('b', 5), 4, 7, true],
      [cas('c', 5), 5, 6, true],
    ],
  ],
  [
    'a key that two created',
    [
      [cas('a', 0), 0, 3, true],
      [cas('b', 0), 1, 2, true],
    ],
  ],
  [
    'a cas refused without reason',
    [
      [write('a'), 0, 1, true],
      [read, 2, 3, seen('a', 5)],
      [cas('b', 5), 4, 5, false],
    ],
  ],
  [
    'a deleted key that comes back',
    [
      [write('a'), 0, 1, true],
      [remove, 2, 3, true],
      [read, 4, 5, seen('a', 5)],
    ],
  ],
  [
    'two holders of a lock',
    [
      [acquire('a', 's1'), 0, 1, true],
      [acquire('b', 's2'), 2, 3, true],
    ],
  ],
  [
    'a lock that a destroyed session keeps',
    [
      [acquire('a', 's1'), 0, 1, true],
      [destroy('s1'), 2, 3, true],
      [acquire('b', 's2'), 4, 5, false],
    ],
  ],
  [
    'a guarded write of a holder that was deposed',
    [
      [acquire('a', 's1'), 0, 1, true],
      [destroy('s1'), 2, 3, true],
      [acquire('b', 's2'), 4, 5, true],
      [guarded('c', 's1'), 6, 7, true],
    ],
  ],
  [
    'a lock lost by a write',
    [
      [acquire('a', 's1'), 0, 1, true],
      [write('b'), 2, 3, true],
      [read, 4, 5, seen('b', 9)],
    ],
  ],
  [
    'an index that goes back',
    [
      [write('a'), 0, 1, true],
      [read, 2, 3, seen('a', 5)],
      [write('b'), 4, 5, true],
      [read, 6, 7, seen('b', 4)],
    ],
  ],
];

describe('checkKey', () => {
  it.each(good)('accepts %s', (_, lines) => {
    expect(checkKey(history(lines))).toBe('linearizable');
  });

  it.each(bad)('refuses %s', (_, lines) => {
    expect(checkKey(history(lines))).toBe('broken');
  });

  it('says when it gave up', () => {
    const unknown = Array.from({ length: 40 }, (_, i): Line => [write(`u${i}`), i, LATER]);
    const lines = history([...unknown, [read, 50, 51, seen('nobody', 5)]]);
    expect(checkKey(lines, { configurations: 1000 })).toBe('undecided');
    expect(checkKey(lines, { withinMs: 1 })).toBe('undecided');
  });
});

describe('minimalHistory', () => {
  it('leaves out what is not needed and stays broken', () => {
    const before = Array.from({ length: 20 }, (_, i): Line[] => [
      [write(`w${i}`), 4 * i, 4 * i + 1, true],
      [read, 4 * i + 2, 4 * i + 3, seen(`w${i}`, i + 1)],
    ]).flat();
    const lines = history([...before, [read, 80, 81, seen('w3', 4)], [write('z'), 82, 83, true]]);
    const minimal = minimalHistory(lines);
    expect(checkKey(minimal)).toBe('broken');
    expect(minimal.filter(({ call }) => call.kind === 'read').map(({ start }) => start)).toEqual([80]);
    expect(minimal.some(({ start }) => start === 82)).toBe(false);
    expect(operationLine(minimal.at(-1)!)).toBe('    80 .. 81       c40: read {} -> {"value":"w3","index":4}');
  });
});

describe('History', () => {
  it('keeps unknown writes, and forgets unanswered reads and what did not happen', () => {
    const written = new History();
    const first = written.begin('c1', 'a', write('1'));
    const second = written.begin('c2', 'b', write('2'));
    written.begin('c3', 'a', read).unknown();
    written.begin('c4', 'a', write('3')).failed();
    second.done(true);
    first.unknown();
    first.over();
    second.over();
    expect(written.byKey().get('a')).toEqual([
      { client: 'c1', key: 'a', call: write('1'), start: 0, end: Infinity, by: 5 },
    ]);
    expect(written.byKey().get('b')).toMatchObject([{ start: 1, end: 4, answer: true }]);
  });
});
