import { FakeClock } from './clock.ts';
import { createLogger } from './log.ts';
import { Trouble } from './trouble.ts';

describe('a trouble', () => {
  it('is said at once, again each minute, and once when it is over', async () => {
    const clock = new FakeClock();
    const lines: string[] = [];
    const sink = { write: (line: string) => lines.push(line) > 0 };
    const trouble = new Trouble({ clock, log: createLogger({ level: 'info', sink: sink as never }) });
    for (let second = 0; second < 90; second++) {
      trouble.say('it fails', new Error('no room'), 'error');
      await clock.advance(1000);
    }
    trouble.say('it fails', new Error('no light'));
    trouble.over('it works');
    trouble.over('it works');
    const seen = lines.map((line) => JSON.parse(line)).map(({ level, msg, text }) => [level, msg, text]);
    expect(seen).toEqual([
      ['error', 'it fails', 'no room'],
      ['error', 'it fails', 'no room'],
      ['warn', 'it fails', 'no light'],
      ['info', 'it works', undefined],
    ]);
  });
});
