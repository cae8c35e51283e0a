import { RenderCache } from './render-cache.ts';

describe('render cache', () => {
  /** Whether the answer under a key is still there, as it is then not made again. */
  const keeps = (cache: RenderCache, key: string) => {
    let made = false;
    cache.render(key, { value: 0, index: 1, applied: 1 }, (value) => {
      made = true;
      return value;
    });
    return !made;
  };

  it('keeps an answer until its index changes', () => {
    const cache = new RenderCache();
    const render = (index: number) => cache.render('a', { value: index, index, applied: index }, (value) => value);
    expect(render(1)).toBe(render(1));
    expect(render(2).toString()).toBe('2');
  });

  it('drops the oldest beyond its bytes, those of long keys included', () => {
    const cache = new RenderCache({ maxEntries: 100, maxBytes: 10_000 });
    const keys = ['a', 'b', 'c', 'd', 'e', 'f'].map((letter) => letter.repeat(1000));
    for (const key of keys) expect(keeps(cache, key)).toBe(false);
    expect(keeps(cache, keys.at(-1)!)).toBe(true);
    expect(keeps(cache, keys[0]!)).toBe(false);
  });

  it('tells who keeps an answer too when it lets go of it, once', () => {
    const cache = new RenderCache({ maxEntries: 2, maxBytes: 10_000 });
    const render = (key: string, index = 1) =>
      cache.render(key, { value: key, index, applied: index }, (value) => value);
    const gone: string[] = [];
    expect(cache.hold('a', render('a'), () => void gone.push('a'))).toBe(true);
    expect(cache.hold('b', render('b'), () => void gone.push('b'))).toBe(true);
    render('a', 2);
    expect(gone).toEqual(['a']);
    render('c');
    render('d');
    expect(gone).toEqual(['a', 'b']);
  });

  it('lets nobody keep what it does not keep itself, nor a thousand keep the same', () => {
    const cache = new RenderCache({ maxEntries: 100, maxBytes: 10_000 });
    const render = (key: string, text: string, index = 1) =>
      cache.render(key, { value: text, index, applied: index }, (value) => value);
    const former = render('a', 'one');
    render('a', 'two', 2);
    expect(cache.hold('a', former, () => {})).toBe(false);
    expect(cache.hold('large', render('large', 'x'.repeat(5000)), () => {})).toBe(false);
    const held = Array.from({ length: 1000 }, () => cache.hold('a', render('a', 'two', 2), () => {}));
    expect(held.filter(Boolean).length).toBeLessThan(100);
  });
});
