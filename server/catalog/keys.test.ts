import { CatalogKeys, parseKey, placeOf } from './keys.ts';

describe('catalog keys', () => {
  const keys = new CatalogKeys('7');

  it('hold names in lower case and give their parts back', () => {
    expect(parseKey(keys.instance('Node/1', 'default', 'Web%20 1'))).toEqual({
      generation: '7',
      kind: 'instance',
      parts: ['node/1', 'default', 'web%20 1'],
    });
    expect(parseKey(keys.node('\u0000\u{10FFFF}é'))?.parts).toEqual(['\u0000\u{10FFFF}é']);
    expect(keys.node('a\u0000\u{10FFFF}')).not.toMatch(/[\u{10FFFF}\p{Cc}]/u);
    expect(keys.node('ABC')).toBe(keys.node('abc'));
  });

  it('give the place of a record', () => {
    const prefix = (key: string, kind: string) => key.slice(`catalog/7/${kind}/`.length);
    const instance = keys.instance('Node/1', 'default', 'Web%20/1 of/many');
    expect(placeOf(prefix(instance, 'instance'))).toEqual({ first: 'node/1', local: 'default/web%20/1 of/many' });
    expect(placeOf(prefix(keys.node('a%/b'), 'node'))).toEqual({ first: 'a%/b', local: '' });
    expect(placeOf(prefix(keys.checkState('n', 'team', 'c'), 'check-state'))).toEqual({ first: 'n', local: 'team/c' });
    expect(placeOf('n/of-nothing')).toEqual({ first: 'n', local: 'of-nothing/' });
  });

  it('keep everything of a node in one range and nothing of another', () => {
    const range = keys.ofNode('instance', 'node');
    const within = (key: string) => key >= range.start && key < range.end;
    expect(within(keys.instance('node', 'default', 'x'))).toBe(true);
    expect(within(keys.instance('node2', 'default', 'x'))).toBe(false);
    expect(within(keys.instance('node/2', 'default', 'x'))).toBe(false);
  });

  it('refuse names that are too long, naming the reason', () => {
    expect(() => keys.node('x'.repeat(2000))).toThrow(expect.objectContaining({ code: 'badRequest' }));
    expect(() => keys.node('/'.repeat(600))).toThrow(expect.objectContaining({ code: 'badRequest' }));
  });

  it('are not read from foreign keys', () => {
    for (const key of ['catalog/generation', 'catalog/index-base', 'kv/x/node/y', 'catalog/0/other/y']) {
      expect(parseKey(key)).toBeUndefined();
    }
  });
});
