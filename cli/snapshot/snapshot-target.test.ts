import { idOf, surplus } from './snapshot-target.ts';

const id = (n: number) => `14793600734487287${n}`;

it('knows the names that it gives, and no others', () => {
  expect(idOf(`consul-${id(10)}.snap`, 'consul-')).toBe(id(10));
  for (const name of ['consul-1.snap', `consul-${id(10)}.snap.unverified`, `other-${id(10)}.snap`, 'consul-x.snap']) {
    expect(idOf(name, 'consul-')).toBeUndefined();
  }
});

it('counts the oldest as too many, never the newest, even when a clock went back', () => {
  const ids = [id(12), id(10), id(11)];
  expect(surplus(ids, 2, id(12))).toEqual([id(10)]);
  expect(surplus(ids, 1, id(12))).toEqual([id(10), id(11)]);
  expect(surplus(ids, 1, id(10))).toEqual([id(11), id(12)]);
  expect(surplus(ids, 3, id(12))).toEqual([]);
  expect(surplus(ids, 0, id(12))).toEqual([]);
});
