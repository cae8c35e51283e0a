import { BOOL, fields, listOf, mapOf, maybe, NAME, NUMBER, oneOf, shapeProblem, TEXT, WHOLE } from './record-shape.ts';

const SHAPE = fields({
  name: NAME,
  count: maybe(WHOLE),
  on: maybe(BOOL),
  tags: maybe(listOf(TEXT)),
  meta: maybe(mapOf(TEXT)),
  at: maybe(fields({ x: NUMBER })),
  how: maybe(oneOf('a', 'b')),
});

describe('the shape of a record', () => {
  it('fits with what need not be there left out, null, or beside what it asks for', () => {
    expect(shapeProblem({ name: 'n' }, SHAPE)).toBeUndefined();
    const whole = { name: 'n', count: 0, on: false, tags: [], meta: {}, at: { x: -0.5 }, how: 'b', more: [1] };
    expect(shapeProblem(whole, SHAPE)).toBeUndefined();
    expect(shapeProblem({ name: 'n', count: null, tags: null, meta: null, at: null }, SHAPE)).toBeUndefined();
  });

  it.each([
    [null, 'the record must be an object'],
    [[], 'the record must be an object'],
    ['x', 'the record must be an object'],
    [{}, 'name must be a name'],
    [{ name: '' }, 'name must be a name'],
    [{ name: 'n', count: 1e300 }, 'count must be a whole number'],
    [{ name: 'n', count: -1 }, 'count must be a whole number'],
    [{ name: 'n', on: 'no' }, 'on must be true or false'],
    [{ name: 'n', tags: ['a', 5] }, 'tags[1] must be a text'],
    [{ name: 'n', tags: { length: 1 } }, 'tags must be a list'],
    [{ name: 'n', meta: { a: null } }, 'meta["a"] must be a text'],
    [{ name: 'n', at: { x: Number.POSITIVE_INFINITY } }, 'at.x must be a number'],
    [{ name: 'n', how: 'c' }, 'how must be one of a, b'],
  ])('does not fit %j: %s', (record, problem) => {
    expect(shapeProblem(record, SHAPE)).toBe(problem);
  });
});
