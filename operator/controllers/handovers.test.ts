import { FakeClock } from '../../core/clock.ts';
import { Handovers } from './handovers.ts';

const REF = 'Service/default/b';
const planned = (hash: string) => ({ key: 'default\0n1\0one', registration: { Node: 'n1' }, hash });
const entry = (key: string) => ({ key });

describe('an entry that is left to another Service', () => {
  it('may be written until just that was refused', () => {
    const handovers = new Handovers({ clock: new FakeClock() });
    const may = () => ['h1', 'h2'].map((hash) => handovers.mayWrite(REF, planned(hash)));
    expect(may()).toEqual([true, true]);
    handovers.refused(REF, planned('h1'));
    expect(may()).toEqual([false, true]);
    expect(handovers.mayWrite('Service/default/c', planned('h1'))).toBe(true);
    handovers.taken(planned('h2'));
    expect(may()).toEqual([true, true]);
  });

  it('is left for two minutes, each for itself', async () => {
    const clock = new FakeClock();
    const handovers = new Handovers({ clock });
    const left = (...keys: string[]) => [...handovers.leave(REF, keys.map(entry))];
    expect(left('one')).toEqual(['one']);
    await clock.advance(60_000);
    expect(left('one', 'two')).toEqual(['one', 'two']);
    await clock.advance(60_000);
    expect(left('one', 'two')).toEqual(['two']);
    expect(left('two')).toEqual(['two']);
    expect(left('one', 'two')).toEqual(['one', 'two']); // it was not to go meanwhile
  });
});
