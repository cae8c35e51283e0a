import fc from 'fast-check';
import { checkKey, compareKeys } from '../../store/key-order.ts';
import { keyOfRest, kvRest } from './kv-keys.ts';

const odd = fc.string({
  unit: fc.constantFrom('a', '/', '..', '\0', '\u0001', '\u0002', '\u{10FFFE}', '\u{10FFFF}', 'Ä'),
  maxLength: 12,
});

describe('keys of values', () => {
  it('come back as they were, and the store takes them', () => {
    fc.assert(
      fc.property(odd, (key) => {
        const rest = kvRest('default', key);
        expect(keyOfRest(rest)).toBe(key);
        checkKey(rest);
      }),
    );
  });

  it('keep their order and their prefixes', () => {
    fc.assert(
      fc.property(odd, odd, (a, b) => {
        const [left, right] = [kvRest('ns', a), kvRest('ns', b)];
        expect(Math.sign(compareKeys(left, right))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
        expect(left.startsWith(right)).toBe(a.startsWith(b));
      }),
    );
  });

  it('refuse what would not fit into the store, naming the limit', () => {
    expect(() => kvRest('default', 'ä'.repeat(700))).toThrow('1400 bytes');
    expect(kvRest('default', 'a'.repeat(1392))).toHaveLength(1400);
  });
});
