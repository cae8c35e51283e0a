import type { StoreEntry } from '../../store/store.ts';
import { createIndexOf, isPacked, modifyIndexOf, openValue, sealValue, storedJson } from './stored.ts';

const entry = (value: Uint8Array): StoreEntry => ({ key: 'k', value, createRevision: 3, modRevision: 5 });

describe('stored values', () => {
  it('are packed when they are a list, whatever blanks come before it', () => {
    const packed = (text: string) => isPacked(Buffer.from(text));
    expect(['[{}]', ' \t\r\n[{}]', '{}', ' {}', '', ' '].map(packed)).toEqual([true, true, false, false, false, false]);
  });

  it('are the record itself when nothing is carried', () => {
    expect(sealValue('{"a":1}').toString()).toBe('{"a":1}');
    const stored = storedJson<{ a: number }>(entry(sealValue('{"a":1}')));
    expect(stored).toEqual({ record: { a: 1 }, createRevision: 3, modRevision: 5 });
    expect([createIndexOf(stored, 10), modifyIndexOf(stored, 10)]).toEqual([13, 15]);
  });

  it('carry indexes over a restore, and the first one over a later write', () => {
    const restored = storedJson(entry(sealValue('{}', { create: 7, modify: 8 })));
    expect([createIndexOf(restored, 10), modifyIndexOf(restored, 10)]).toEqual([7, 8]);
    const written = storedJson(entry(sealValue('{}', { create: 7 })));
    expect([createIndexOf(written, 10), modifyIndexOf(written, 10)]).toEqual([7, 15]);
  });

  it.each(['@', '@1\n', '@\n@', 'x', '\n', ''])('keep raw bytes that look like a carry: %j', (text) => {
    expect(openValue('k', sealValue(text)).body.toString()).toBe(text);
    expect(openValue('k', sealValue(text, { create: 1, modify: 2 })).body.toString()).toBe(text);
  });

  it.each(['@', '@x\n{}', '@1,\n{}', '@1'])('are refused when the index line is damaged: %j', (text) => {
    expect(() => openValue('k', Buffer.from(text))).toThrow('the entry k begins with a damaged index line');
  });
});
