import { selects } from './label-selector.ts';

describe('a label selector', () => {
  const exists = (key: string) => ({ matchExpressions: [{ key, operator: 'Exists' as const }] });

  it('asks for labels that an object has itself', () => {
    expect(selects(exists('app'), { app: '' })).toBe(true);
    for (const key of ['constructor', '__proto__', 'toString']) {
      expect([selects(exists(key), {}), selects(exists(key), { app: 'a' })]).toEqual([false, false]);
      expect(selects({ matchExpressions: [{ key, operator: 'DoesNotExist' }] }, {})).toBe(true);
    }
    expect(selects(exists('constructor'), { constructor: 'x' } as unknown as Record<string, string>)).toBe(true);
  });
});
