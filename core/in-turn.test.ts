import { InTurn } from './in-turn.ts';

describe('tasks in turn', () => {
  it('run one after the other, also after one that fails', async () => {
    const turn = new InTurn();
    const seen: string[] = [];
    let finish: () => void = () => {};
    const first = turn.run(async () => {
      seen.push('first');
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      seen.push('first ends');
      throw new Error('no');
    });
    const second = turn.run(async () => {
      seen.push('second');
      return 2;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen).toEqual(['first']);
    finish();
    await expect(first).rejects.toThrow('no');
    expect(await second).toBe(2);
    expect(seen).toEqual(['first', 'first ends', 'second']);
  });
});
