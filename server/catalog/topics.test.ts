import { FakeClock } from '../../core/clock.ts';
import { Topics } from './topics.ts';

function make(options: Partial<{ maxWatchers: number; maxRemembered: number }> = {}): Topics {
  return new Topics({ clock: new FakeClock() }, { maxWatchers: 10, maxRemembered: 3, ...options });
}

describe('topics', () => {
  it('call the watchers of a changed topic only, when the transaction is complete', () => {
    const topics = make();
    const woken: string[] = [];
    topics.watch(['a'], () => woken.push('a'));
    topics.watch(['b', 'c'], () => woken.push('bc'));
    topics.bump('a', 1, true);
    expect(woken).toEqual([]);
    topics.flush();
    expect(woken).toEqual(['a']);
    topics.bump('c', 2, true);
    topics.flush();
    expect(woken).toEqual(['a', 'bc']);
  });

  it('never lower a version when deleted topics are forgotten', () => {
    const topics = make();
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const [at, name] of names.entries()) topics.bump(name, at + 1, false);
    const versions = names.map((name) => topics.version(name));
    names.forEach((_, at) => {
      expect(versions[at]).toBeGreaterThanOrEqual(at + 1);
    });
    expect(topics.version('never seen')).toBe(3);
    topics.bump('g', 9, false);
    names.forEach((name, at) => {
      expect(topics.version(name)).toBeGreaterThanOrEqual(versions[at]!);
    });
  });

  it('are found once by who asks again and again, until they are forgotten', () => {
    const topics = make({ maxRemembered: 1 });
    expect(topics.find('a')).toBeUndefined();
    topics.bump('a', 5, true);
    const found = topics.find('a')!;
    expect(topics.versionOf(found)).toBe(5);
    topics.raiseFloor(7);
    expect(topics.versionOf(found)).toBe(7);
    topics.bump('a', 8, false);
    expect([topics.versionOf(found), found.forgotten]).toEqual([8, false]);
    for (let n = 0; n < 3; n++) topics.bump(`gone-${n}`, 10 + n, false);
    expect([topics.find('a'), found.forgotten]).toEqual([undefined, true]);
    topics.bump('a', 20, true);
    expect(topics.versionOf(topics.find('a')!)).toBe(topics.version('a'));
  });

  it('do not forget what exists or is watched', () => {
    const topics = make({ maxRemembered: 1 });
    topics.bump('live', 5, true);
    const unwatch = topics.watch(['watched'], () => {});
    for (let i = 0; i < 10; i++) topics.bump(`gone-${i}`, 10 + i, false);
    expect(topics.version('live')).toBe(5);
    expect(topics.version('watched')).toBe(0);
    unwatch();
    topics.bump('gone-x', 30, false);
    expect(topics.version('watched')).toBeGreaterThanOrEqual(19);
  });

  it('raise every version to the floor and wake everybody', () => {
    const topics = make();
    let woken = 0;
    topics.bump('a', 5, true);
    topics.watch(['a', 'absent'], () => woken++);
    topics.flush();
    woken = 0;
    topics.raiseFloor(100);
    topics.flush();
    expect(woken).toBeGreaterThan(0);
    expect([topics.version('a'), topics.version('absent'), topics.version('other')]).toEqual([100, 100, 100]);
    topics.bump('a', 101, true);
    expect(topics.version('a')).toBe(101);
  });

  it('refuse more watchers than allowed and count those that leave', () => {
    const topics = make({ maxWatchers: 1 });
    const unwatch = topics.watch(['a'], () => {});
    expect(() => topics.watch(['a'], () => {})).toThrow(expect.objectContaining({ code: 'rateLimited' }));
    unwatch();
    unwatch();
    expect(topics.watchers).toBe(0);
    topics.watch(['a'], () => {})();
  });
});
