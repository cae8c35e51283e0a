import fc from 'fast-check';
import { compareKeys, inRange, lowerBound } from './key-order.ts';
import { prefixRange } from './store.ts';

const anyText = fc.string({ unit: 'binary' });

describe('compareKeys', () => {
  it('orders like the UTF-8 bytes', () => {
    fc.assert(
      fc.property(anyText, anyText, (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
  });

  it('finds places in sorted keys', () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyText), anyText, (keys, key) => {
        const sorted = keys.sort(compareKeys);
        expect(lowerBound(sorted, key)).toBe(sorted.filter((one) => compareKeys(one, key) < 0).length);
      }),
    );
  });
});

describe('prefixRange', () => {
  it('holds exactly the keys with the prefix', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (prefix, key) => {
        expect(inRange(prefix + key, prefixRange(prefix))).toBe(true);
        expect(inRange(key, prefixRange(prefix))).toBe(key.startsWith(prefix));
      }),
    );
  });
});
